"""Every setting there is, made from the schema: to be searched, read about and changed."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Input, Label, OptionList, Static

from dbtui.forms.form import Form, place_of
from dbtui.forms.listing import Adder, Heading, Line, best, listing
from dbtui.forms.widgets.edited import Edited
from dbtui.forms.widgets.editors import Editor, editor_for
from dbtui.wizard.steps.order import STEPS
from dbtui.wizard.training.draft_form import asked_here, configuration
from dbtui.wizard.widgets.plain_input import PlainInput
from dbtui.wizard.widgets.problem_lines import ProblemLines
from dbtui.wizard.widgets.setting_words import SettingWords
from dbtui.wizard.widgets.settings_list import SettingsList, at
from trainer_core.config.fields import TableInfo, all_tables
from trainer_core.data.listing import counted

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp


class _Search(PlainInput):
    """What is searched for; Enter edits what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "edit", id="settings.found", tooltip="Edit the setting; enter again is done"),
    ]


class AllSettings(Screen[None]):
    """The search has the focus; the arrows go through the list meanwhile, Enter edits what they point at."""

    CSS_PATH = "all_settings.tcss"
    HELP = """# All settings

Type to search: every word must occur in the key, the help or the group. The arrows choose, `enter` edits, `enter`
again is done. What you type is taken as soon as it is a value; until then the old one holds, marked with a `!`.

- `•` differs from the preset; `ctrl+r` takes the preset's value back.
- Settings that have no effect with the method chosen are left out; `f4` shows them, with the reason.
- Of tables that form a list, such as previews: `enter` on *add*, `f8` removes the one with the cursor.
- A path that is not absolute begins at the folder in which dbtui was started.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "edit", id="settings.edit", tooltip="Edit the setting; enter again is done"),
        Binding("escape", "back", "back", id="settings.back", tooltip="Back to the step; nothing is lost"),
        Binding("f6", "review", "review", show=False, id="settings.review", tooltip="Go to the last step"),
        Binding("f4", "rest", "the rest", id="settings.rest", tooltip="Show what has no effect now, and why"),
        Binding("ctrl+r", "reset", "reset", id="settings.reset", tooltip="Take the preset's value back"),
        Binding("f8", "remove", "remove", show=False, id="settings.remove", tooltip="Remove this table of a list"),
        Binding("up", "move('cursor_up')", "up", show=False, id="settings.up", tooltip="The setting above"),
        Binding("down", "move('cursor_down')", "down", show=False, id="settings.down", tooltip="The one below"),
        Binding("pageup", "move('page_up')", "up", show=False, id="settings.page_up", tooltip="A page up"),
        Binding(
            "pagedown", "move('page_down')", "down", show=False, id="settings.page_down", tooltip="A page down"
        ),
    ]

    def __init__(self, form: Form, key: str = "") -> None:
        super().__init__()
        self.form, self.key = form, key
        self.with_unused = False
        self.editor: Editor | None = None

    def compose(self) -> ComposeResult:
        """Put the search above the list, and what there is to know of a setting beside or below it."""
        with Horizontal(id="top"):
            yield Label("All settings", classes="title")
            yield _Search(placeholder="type to search", id="search")
            yield Static(markup=False, id="count")
        with Horizontal(id="middle"):
            yield SettingsList(id="settings")
            with Vertical(id="about"):
                with Horizontal(id="edit"):
                    yield Static(markup=False, id="key")
                    yield Vertical(id="editor")
                yield SettingWords(with_key=False)
        yield ProblemLines()
        yield Footer()

    def on_mount(self) -> None:
        """Begin at the setting that was asked for."""
        self.set_focus(self.query_one("#search"))
        if self.key:
            self.show_key(self.key)
        else:
            self._list()
        self._check()

    def show_key(self, key: str) -> None:
        """Edit a setting, or the first one below a table, also where it has no effect just now."""
        self._close_editor()
        self._empty_search()
        place = self._place_of_key(key)
        if not place:
            self.with_unused = True
            place = self._place_of_key(key)
        self._list(place)
        self.call_after_refresh(self.action_edit)

    def _place_of_key(self, key: str) -> str:
        """Return the first entry that is listed for a setting or for what is below a table."""
        for entry in listing(self.form, with_unused=self.with_unused).entries:
            if not isinstance(entry, Heading):
                found = entry.state.field.key if isinstance(entry, Line) else entry.table.key
                if found == key or found.startswith(f"{key}."):
                    return at(entry)
        return ""

    def _empty_search(self) -> None:
        search = self.query_one("#search", Input)
        with search.prevent(Input.Changed):
            search.value = ""

    # The list.

    def _list(self, place: str = "") -> None:
        """List the settings anew, with the cursor at `place` or where it was."""
        search = self.query_one("#search", Input).value
        found = listing(self.form, search, with_unused=self.with_unused)
        self._settings.show(found, place or self._settings.place, best(found, search))
        hidden = f" · f4: {found.unused} more" if found.unused else ""
        self.query_one("#count", Static).update(Text(counted(found.shown, "setting") + hidden))
        self._show_words()

    @property
    def _settings(self) -> SettingsList:
        return self.query_one(SettingsList)

    @property
    def _line(self) -> Line | None:
        entry = self._settings.entry
        return entry if isinstance(entry, Line) else None

    @on(Input.Changed, "#search")
    def _search(self) -> None:
        self._close_editor()
        self._settings.highlighted = None
        self._list()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if self.editor and self.editor.path != (self._line.state.path if self._line else ()):
            self._close_editor()
        self._settings.mark()
        self._show_words()

    @on(OptionList.OptionSelected)
    async def _clicked(self) -> None:
        await self.action_edit()

    def _show_words(self) -> None:
        entry = self._settings.entry
        words, key = self.query_one(SettingWords), ""
        if isinstance(entry, Adder):
            key = entry.table.header
            words.update(Text(f"{entry.table.help}\nenter adds one"))
        elif isinstance(entry, Line):
            key = _key(entry)
            words.show(self.form.state(entry.state.path))
        else:
            words.update(Text("No setting is called that." if self.query_one("#search", Input).value else ""))
        self.query_one("#key", Static).update(Text(key, style="bold"))

    # What the person does.

    def action_move(self, action: str) -> None:
        """Move the cursor of the list."""
        getattr(self._settings, f"action_{action}")()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        await self.action_edit()

    async def action_edit(self) -> None:
        """Open the editor, or close it; add a table. The next key is the editor's, however fast it comes."""
        entry = self._settings.entry
        if self.editor is not None:
            self._close_editor()
            self._list()
        elif isinstance(entry, Adder):
            await self._add(entry.table)
        elif isinstance(entry, Line):
            self.editor = editor_for(self.form.state(entry.state.path))
            await self.query_one("#editor").mount(self.editor)
            self.set_focus(self.editor)

    def _close_editor(self) -> None:
        if self.editor is not None:
            self.editor = None
            self.set_focus(self.query_one("#search"))
            self.query_one("#editor").remove_children()

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        event.stop()
        self.form.enter(event.path, event.text)
        self._changed()

    def _changed(self) -> None:
        """Show the new state of the setting with the cursor, and tell that the draft changed."""
        if line := self._line:
            fresh = Line(self.form.state(line.state.path), line.label)
            self._settings.renew(fresh)
            if self.editor:
                self.editor.show_state(fresh.state)
        self._show_words()
        self._check()

    async def _add(self, table: TableInfo) -> None:
        number = self.form.add(table)
        self._empty_search()  # what was looked for need not match what is new
        self._list(place_of((*table.key.split("."), number, table.fields[0].name)))
        self._check()
        await self.action_edit()

    def action_remove(self) -> None:
        """Remove the table of a list that the cursor is in."""
        line = self._line
        number = next((part for part in line.state.path if isinstance(part, int)), None) if line else None
        if line is None or number is None:
            self.notify("Only a table of a list, such as a preview, can be removed; ctrl+r resets a setting")
            return
        self._close_editor()
        table = next(table for table in all_tables() if table.key == line.state.field.table)
        self.form.remove(table, number)
        self._list(at(Adder(table, 0)))
        self._check()

    def action_reset(self) -> None:
        """Take the answer back."""
        if line := self._line:
            self.form.reset(line.state.path)
            if self.editor:
                self.editor.show_state(self.form.state(line.state.path), text=True)
            else:
                self._list()
            self._changed()

    def action_rest(self) -> None:
        """Show or hide what has no effect."""
        self.with_unused = not self.with_unused
        self._list()

    def action_back(self) -> None:
        """Close the editor, else empty the search, else go back."""
        search = self.query_one("#search", Input)
        if self.editor is not None:
            self._close_editor()
            self._list()
        elif search.value:
            search.value = ""
        else:
            self.dismiss()

    def action_review(self) -> None:
        """Go to the last step, which says what is still to be mended."""
        cast("WizardApp", self.app).go_to(STEPS[-1])

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.notify(event.text, severity="warning")

    def _check(self) -> None:
        """Save soon, and say what does not go together."""
        wizard = cast("WizardApp", self.app)
        wizard.draft_changed()
        _, conflicts = configuration(wizard.draft)
        self.query_one(ProblemLines).show(problem.text for problem in conflicts if asked_here(problem))


def _key(line: Line) -> str:
    number = next((part for part in line.state.path if isinstance(part, int)), None)
    field = line.state.field
    return field.key if number is None else f"[[{field.table}]] {number + 1}: {field.name} (f8 removes it)"
