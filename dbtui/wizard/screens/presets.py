"""The preset library: what there is, what stands in it, and a new run with one."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Label, Static

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.screens.preset_facts import Shown, all_presets, draft_with, own_folder
from dbtui.wizard.widgets.row_list import RowList
from dbtui.wizard.widgets.toml_text import toml_text
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_HELP = """
# Presets

A preset holds all settings for a family of models and a size of graphics card, and nothing of one machine: it can
be shared. Those from *dbtui* came with it; yours are TOML files in a folder of your own, which this screen names.

- **enter** begins a new run with the preset; the wizard asks for the rest.
- **a** shows every setting with its value, also those of the presets that it extends.
- **tab** goes to the text, to scroll it.

A preset of yours that cannot be used is listed all the same, with what is wrong.
"""


class PresetsScreen(Screen[None]):
    """The presets above, the file of the highlighted one below; on wide screens beside each other."""

    HELP = _HELP
    CSS_PATH = "presets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "new_run", "new run with it", id="presets.new", tooltip="Begin a run with this preset"),
        Binding("a", "all", "all settings", id="presets.all", tooltip="The file as written, or every setting"),
        Binding("r", "again", "read again", id="presets.again", show=False, tooltip="Read the folder again"),
        Binding("escape,q", "leave", "home", id="presets.leave", tooltip="Go back home"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.presets: list[Shown] = []
        self.is_resolved = False

    def compose(self) -> ComposeResult:
        """Show the list and the text."""
        with Vertical(id="left"):
            yield Label("Presets", classes="title")
            yield RowList(id="list")
            yield Static(id="remarks", classes="hint", markup=False)
        with VerticalScroll(id="right"):
            yield Static(id="about", markup=False)
            yield Static(id="problems", markup=False)
            yield Static(id="toml", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Read the presets."""
        self.query_one(RowList).focus()
        self.action_again()

    def action_again(self) -> None:
        """Read the presets again."""
        self._read()

    @work(exclusive=True, group="presets", exit_on_error=False)
    async def _read(self) -> None:
        remarks: list[str] = []
        try:
            self.presets, remarks = await in_thread(all_presets)
        except OSError as error:
            remarks = [f"the presets cannot be read ({safe_text(error, 200)})"]
        self.query_one(RowList).show(
            [preset.name for preset in self.presets], [_line(each) for each in self.presets]
        )
        self._show()
        lines = [f"! {remark}" for remark in remarks] + [f"yours go into {own_folder()}"]
        self.query_one("#remarks", Static).update(Text("\n".join(lines)))

    @property
    def chosen(self) -> Shown | None:
        """The highlighted preset."""
        key = self.query_one(RowList).key
        return next((preset for preset in self.presets if preset.name == key), None)

    @on(RowList.Moved)
    def _show(self) -> None:
        if (shown := self.chosen) is None:
            return
        about = Text.assemble((f"{shown.shown_name}  {shown.title}", "bold"), f"\n{shown.about}\n")
        self.query_one("#about", Static).update(about)
        problems = Text("\n".join(f"✗ {problem}\n" for problem in shown.problems))
        self.query_one("#problems", Static).update(problems)
        resolved = shown.resolved() if self.is_resolved else ""
        self.query_one("#toml", Static).update(toml_text(resolved or shown.toml))
        self.query_one("#right").scroll_home(animate=False)

    def action_all(self) -> None:
        """Show every setting, or the file as it was written."""
        self.is_resolved = not self.is_resolved
        self._show()

    @on(RowList.Chosen)
    def action_new_run(self) -> None:
        """Begin a run with the highlighted preset."""
        shown = self.chosen
        if shown is None or shown.problems:
            self.notify("this preset cannot be used: mend what is wrong with it first", severity="warning")
            return
        cast("WizardApp", self.app).new_run(draft_with(shown))

    def action_leave(self) -> None:
        """Go home."""
        cast("WizardApp", self.app).go_home()


def _line(preset: Shown) -> Text:
    text = Text(f"{preset.shown_name:15} ", style="bold")
    text.append(f"{preset.card:>6}  ", style="not bold")
    return text.append(preset.title, style="not bold")
