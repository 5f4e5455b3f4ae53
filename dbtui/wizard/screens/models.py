"""The models on this machine: what each is, and a new run from one of them."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Label, Static

from dbtui.wizard import run_actions
from dbtui.wizard.draft import Draft
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.models.about import about_model
from dbtui.wizard.models.search import ListedModel, known_models
from dbtui.wizard.widgets.model_list import ModelList
from dbtui.wizard.widgets.problem_lines import ProblemLines
from trainer_core.models.carried import carries_preset

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_NONE = (
    "No model was found.\n\n"
    "Looked at: the models that you used before, the folders of web UIs (A1111, Forge, SD.Next, ComfyUI, "
    "SwarmUI, Stability Matrix) and models/ below your home folder, the current one and /workspace, the "
    "Hub's cache, and what was trained here.\n\n"
    "A new run can start from any file, folder or Hub name: it is asked in its second step."
)


class ModelsScreen(Screen[None]):
    """Lists the known models as they are found, with everything that their headers tell of one of them."""

    CSS_PATH = "models.tcss"
    HELP = """\
# Models

What lies in the folders where web UIs keep their models, in the Hub's cache, in the output of your runs, and what
you used before. `✓` can be trained; `✗` cannot, and why is told beside it (SDXL, a LoRA, a damaged file, ...);
of `?` only loading it will tell.

`enter` begins a new run from the model under the cursor, `g` draws with it, `r` looks again.

A model or LoRA that dbtui trained carries its settings: `f` begins a new run with them, from its own start model.

Only headers are read. Other places are not searched: name a model in the second step of a new run, and it is
listed here from then on.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "use", "new run from it", id="models.use", tooltip="Begin a new run from this model"),
        Binding("f", "repeat", "repeat", show=False, id="models.repeat", tooltip="A new run, trained as it was"),
        Binding("g", "draw", "draw with it", id="models.draw", tooltip="Make pictures with this model"),
        Binding("r", "search", "look again", id="models.search", tooltip="Look again for models"),
        Binding("escape", "back", "home", id="models.back", tooltip="Go back to the list of runs"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._carrying: str | None = None

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    def compose(self) -> ComposeResult:
        """Yield the list, and what is known of one model."""
        yield Label("Models", id="head")
        yield Static("looking …", id="count", markup=False)
        with Container(id="middle"):
            yield ModelList()
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="facts", markup=False)
        yield ProblemLines()
        yield Footer()

    def on_mount(self) -> None:
        """Look for models."""
        self.action_search()

    @work(exclusive=True, group="known", exit_on_error=False)
    async def action_search(self) -> None:
        """Look at all places; what is found is shown at once."""
        models: list[ListedModel] = []
        async for models in known_models(self.wizard.options.runs_dir):
            self._show(models, is_over=False)
        self._show(models, is_over=True)

    def _show(self, models: list[ListedModel], *, is_over: bool) -> None:
        self.query_one(ModelList).show_models(models)
        usable = sum(model.is_usable for model in models)
        words = f"{len(models)} found, {usable} can be trained" if models else ""
        self.query_one("#count", Static).update(Text(words if is_over else f"{words}  looking …".strip()))
        self.query_one("#count", Static).display = bool(words) or not is_over
        if is_over and not models:
            self.query_one("#facts", Static).update(Text(_NONE))
        self.set_class(is_over and not models, "-none")
        self.refresh_bindings()

    @on(ModelList.Moved)
    def _about(self) -> None:
        if model := self.query_one(ModelList).model:
            self.query_one("#facts", Static).update(about_model(model, carries=model.base == self._carrying))
            self._look_inside(model)
        self.query_one(ProblemLines).show(())
        self.refresh_bindings()

    @work(exclusive=True, group="inside", exit_on_error=False)
    async def _look_inside(self, model: ListedModel) -> None:
        """Offer to repeat the training where the model tells of it."""
        if model.base == self._carrying or not await in_thread(carries_preset, Path(model.base)):
            return
        self._carrying = model.base
        self.query_one("#facts", Static).update(about_model(model, carries=True))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the model under the cursor."""
        if action == "repeat" and self.is_mounted:
            model = self.query_one(ModelList).model
            return model is not None and model.base == self._carrying
        if action in {"use", "draw"} and self.is_mounted:
            return self.query_one(ModelList).model is not None
        return True

    @on(ModelList.Chosen)
    def action_use(self) -> None:
        """Begin a new run from the model under the cursor."""
        model = self.query_one(ModelList).model
        if model is None:
            return
        if not model.is_usable:
            self.query_one(ProblemLines).show([f"{model.known.name}: {model.trouble}"])
            return
        draft = Draft()
        draft.set("model.base", model.base)
        self.wizard.new_run(draft)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_repeat(self) -> None:
        """Begin a new run with the settings that made the model under the cursor."""
        if model := self.query_one(ModelList).model:
            await run_actions.repeat_model(self.wizard, Path(model.base))

    def action_draw(self) -> None:
        """Draw with the model under the cursor."""
        from dbtui.wizard.screens.generate import GenerateScreen

        if model := self.query_one(ModelList).model:
            self.wizard.push_screen(GenerateScreen(model.base))

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.wizard.go_home()
