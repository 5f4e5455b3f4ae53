"""Step: how the model is trained; the settings that decide most, and the way to all the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import DescendantFocus
from textual.message import Message
from textual.widgets import Static

from dbtui.forms.widgets.edited import Edited
from dbtui.wizard.answers import Problem
from dbtui.wizard.draft import Draft
from dbtui.wizard.step_screen import StepScreen
from dbtui.wizard.training.draft_form import asked_here, configuration, form_of, invalid_texts
from dbtui.wizard.training.length import Length
from dbtui.wizard.training.matters import PREVIEW, matters_of
from dbtui.wizard.training.previews import ANYTHING, add_preview, clear_preview
from dbtui.wizard.training.units import change_unit
from dbtui.wizard.widgets.plain_input import PlainInput
from dbtui.wizard.widgets.preview_row import PreviewRow
from dbtui.wizard.widgets.setting_row import SettingRow
from dbtui.wizard.widgets.setting_words import SettingWords
from dbtui.wizard.widgets.unit_row import UnitRow
from trainer_core.config.schema import Config
from trainer_core.errors import UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.training.lengths import Lengths


def _key(key: str, action: str, tooltip: str) -> Binding:
    return Binding(key, action, show=False, priority=True, id=f"training.{key}", tooltip=tooltip)


@dataclass
class Measured(Message):
    """The worker knows how long the training is, and which preview comes next."""

    number: int
    length: Length
    prompt: str


class TrainingScreen(StepScreen):
    """Rows of questions with the preset's answers in them; F3 leads to every setting there is."""

    NAME = "training"
    CSS_PATH = "training.tcss"
    HELP = """# Training

The preset has answered everything; these are the settings that decide most. Change one and a `•` marks it;
`ctrl+r` takes the preset's value back.

- **How long** is told in steps or in passes over the pictures. The line below counts: *pictures by
  repeats, divided by the batch, are the steps of a pass*. 50 to 100 steps for each picture are usual; with too
  many the model draws nothing else any more.
- **Learning rate**: 1e-6 for a whole model, 1e-4 for a LoRA. Ten times more burns, ten times less does nothing.
- **Batch size**: more pictures a step learn steadier and need more memory; take fewer steps then.
- **Buckets** keep pictures in their own shape instead of cutting them square.
- **Text encoder**: training it too binds the word faster, and forgets sooner.
- **Previews** are drawn while it trains: the same picture again and again shows when to stop. `ctrl+n` adds one.
- **Save every**: models on the way, of which you keep the best. Each takes its room on the disk.

Everything else is in **all settings** (`f3`): type to search, enter to edit.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "all_settings", "all settings", id="training.all", tooltip="Every setting, to be searched"),
        Binding("ctrl+n", "add_preview", "preview", id="training.preview", tooltip="Add a picture to be drawn"),
        Binding(
            "ctrl+r", "reset", "reset", show=False, id="training.reset", tooltip="Take the preset's value back"
        ),
    ]

    def on_mount(self) -> None:
        """Begin at the first question, and count."""
        self.query_one(SettingRow).editor.focus()
        self._check()

    def body(self) -> ComposeResult:
        """Yield a row for each question, and the words on the one with the cursor."""
        self.form = form_of(self.draft)
        self.lengths: Lengths | None = None
        self.length: Length | None = None
        self.config: Config | None = None
        self.conflicts: list[Problem] = []
        self.asked = 0
        with Rows(id="rows"):
            yield from self._rows()
        yield SettingWords(id="words")

    def side(self) -> ComposeResult:
        """Yield the same words for wide screens."""
        yield SettingWords(between="\n\n", id="words-beside")

    def _rows(self) -> ComposeResult:
        for matter in matters_of(self.form):
            kind = UnitRow if matter.or_key else PreviewRow if matter.path == PREVIEW else SettingRow
            yield kind(matter, self.form)
            if matter.key == "train.max_steps":
                yield Static("Counting the pictures ...", markup=False, id="formula")

    def problems(self) -> Sequence[str]:
        """Return what was typed and is no value, and what does not go together."""
        return [problem.text for problem in self._wrong()]

    def action_next(self) -> None:
        """Go on; where something keeps from it, go to its row."""
        keys = [problem.key for problem in self._wrong()]
        super().action_next()
        rows = (row for key in keys for row in self.query(SettingRow) if key in row.matter.keys)
        if row := next(rows, None):
            row.editor.focus()

    def _wrong(self) -> list[Problem]:
        return [*invalid_texts(self.form), *(problem for problem in self.conflicts if asked_here(problem))]

    def show_key(self, key: str) -> None:
        """Go to the row of a setting; one that has none is shown among all settings."""
        for row in self.query(SettingRow):
            if key in row.matter.keys:
                if isinstance(row, UnitRow):
                    row.use(key)
                row.editor.focus()
                return
        self.action_all_settings(key)

    # What the person does.

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        event.stop()
        if not (event.path == PREVIEW and not event.text and clear_preview(self.form)):
            self.form.enter(event.path, event.text)
        self._changed_here()

    @on(UnitRow.UnitChosen)
    def _unit_chosen(self, event: UnitRow.UnitChosen) -> None:
        change_unit(self.draft, self.form, event.matter, event.key, self.length)
        self.form.changed()
        next(row for row in self.query(UnitRow) if row.matter == event.matter).use(event.key)
        self._changed_here()

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.notify(event.text, severity="warning")

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Show where the cursor is, and the words of that question."""
        for row in self.query(SettingRow):
            row.show()
        self._show_words()

    def action_add_preview(self) -> None:
        """Add the preview that is proposed."""
        add_preview(self.form, self.query_one(PreviewRow).proposed)
        self._changed_here(text=True)
        self.query_one(PreviewRow).editor.focus()

    def action_reset(self) -> None:
        """Take back the answer of the row with the cursor."""
        if row := self._row():
            for key in row.matter.keys:
                self.form.reset(row.path if len(row.matter.keys) == 1 else tuple(key.split(".")))
            if isinstance(row, UnitRow):
                row.use_what_holds()
            self._changed_here(text=True)

    def action_all_settings(self, key: str = "") -> None:
        """Open the list of all settings, at the setting `key`."""
        from dbtui.wizard.screens.all_settings import AllSettings

        self.app.push_screen(AllSettings(self.form, key), lambda _: self._back_from_all())

    async def _back_from_all(self) -> None:
        self.form.changed()
        rows = self.query_one("#rows")
        row = self._row()
        place = row.matter if row else None
        await rows.remove_children()
        await rows.mount(*self._rows())
        found = next((row for row in self.query(SettingRow) if row.matter == place), self.query_one(SettingRow))
        found.editor.focus()
        self._changed_here()

    # What follows from it.

    def _changed_here(self, *, text: bool = False) -> None:
        self.changed()
        for row in self.query(SettingRow):
            row.show(text=text)
        self._show_words()
        self._check()

    def _check(self) -> None:
        """See what does not go together, and count anew."""
        self.config, self.conflicts = configuration(self.draft)
        self.complain(problem.text for problem in self.conflicts if asked_here(problem))
        self.asked += 1
        self._measure(self.asked, self.config, self.draft.copy())

    @work(thread=True, exclusive=True, group="length", exit_on_error=False)
    def _measure(self, number: int, config: Config | None, draft: Draft) -> None:
        from dbtui.wizard.training.lengths import Lengths
        from dbtui.wizard.training.proposals import next_prompt

        self.lengths = self.lengths or Lengths(self.wizard.options.runs_dir)
        try:
            length, prompt = self.lengths.of(config), next_prompt(draft, config)
        except (OSError, UserError) as error:
            length, prompt = Length(0, 0, f"The pictures cannot be counted: {error}"), ANYTHING
        self.post_message(Measured(number, length, prompt))

    @on(Measured)
    def _measured(self, event: Measured) -> None:
        if event.number != self.asked:
            return  # another question was asked since
        self.length = event.length
        self.query_one("#formula", Static).update(Text(safe_text(event.length.words)))
        for row in self.query(PreviewRow):
            row.propose(event.prompt)

    def _show_words(self) -> None:
        row = self._row()
        for words in self.query(SettingWords):
            words.show(row.state if row else None)

    def _row(self) -> SettingRow | None:
        """Return the row with the cursor."""
        return next((row for row in self.query(SettingRow) if row.has_focus_within), None)


class Rows(Vertical):
    """The rows. What leads from one to another comes before anything else: over a slow line a person types ahead,
    and what was typed after the arrow is meant for the next row.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("up", "move(-1)", "The question above"),
        _key("down", "move(1)", "The next question"),
        _key("tab", "app.focus_next", "The next field"),
        _key("shift+tab", "app.focus_previous", "The field before"),
    ]

    def action_move(self, by: int) -> None:
        """Go to the row `by` places further, at most the first or last."""
        rows = list(self.query(SettingRow))
        present = next((place for place, row in enumerate(rows) if row.has_focus_within), 0)
        self.screen.set_focus(rows[min(max(present + by, 0), len(rows) - 1)].editor)
