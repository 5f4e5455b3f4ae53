"""Step 2: the model that training starts from, with what its header says at once."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import DescendantFocus
from textual.widgets import Input, Label, Static
from textual.worker import Worker, WorkerState

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.models import settled
from dbtui.wizard.models.about import about_model, facts_text
from dbtui.wizard.models.facts import ModelFacts, facts_of
from dbtui.wizard.models.fit import is_misfit
from dbtui.wizard.models.known import SUFFIXES, with_tilde
from dbtui.wizard.models.search import ListedModel, known_models
from dbtui.wizard.recent import recent_models, remember_model
from dbtui.wizard.step_screen import StepScreen, id_of
from dbtui.wizard.widgets.model_list import ModelList
from dbtui.wizard.widgets.path_input import PathInput
from dbtui.wizard.widgets.plain_input import PlainInput
from trainer_core.text import safe_text

_HINT = "A .safetensors or .ckpt file, a Diffusers folder, or a name on the Hub."
_EXAMPLES = "~/models/my-model.safetensors, or owner/name"
_VAE_HINT = "only if the model has none, or to replace its own"
_ABOUT = (
    "Take a model that already draws what is nearest to your subject.\n\n"
    "For photos of people and things: one that was made from photos. For drawn figures: one that draws them.\n\n"
    "The result is used as this model is."
)


SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""Where the Hub keeps Stable Diffusion 1.5, for those who have no model yet."""


class ModelScreen(StepScreen):
    """A path or name, what it is, and the models that are known."""

    NAME = "model"
    CSS_PATH = "model.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "settle", "what it predicts", id="model.settle", tooltip="Say what the model predicts"),
    ]
    HELP = """\
# Which model do you start from?

Training changes a model that exists: **Stable Diffusion 1.x or 2.x**, or one that was made from these. Take one
that already draws what is nearest to your subject: photos, paintings, drawn figures.

Type the path of a `.safetensors` or `.ckpt` file or of a Diffusers folder (names are completed while you type;
`down` lists the folder), or a name on the Hub such as `owner/name`, which is fetched when the training starts.
Below are the models that you used before, and those in the folders of web UIs and in the Hub's cache.

**What it predicts** (noise, or v) is read from the file. Where the file does not say, it is a guess: the page
where you got the model knows, and `f4` settles it. Trained for the wrong one, a model is ruined.

**A .ckpt** is a pickle, which can hold programs. It is read in a process of its own that takes only the numbers;
`dbtui convert model.ckpt model.safetensors` makes a safe file of it for good.
"""

    def __init__(self) -> None:
        super().__init__()
        self.facts: ModelFacts | None = None
        self._shown: dict[str, str] = {}
        self._can_settle = False

    def body(self) -> ComposeResult:
        """Ask for the model; show what it is, and which are known."""
        self._shown = {key: with_tilde(str(self.draft.get(key) or "")) for key in ("model.base", "model.vae")}
        yield Label("Which model do you start from?", classes="question -first")
        yield PathInput(
            self._shown["model.base"], suffixes=SUFFIXES, placeholder=_EXAMPLES, id=id_of("model.base")
        )
        yield Label(_HINT, classes="hint")
        yield Static(id="facts", markup=False)
        yield Label("Looking for models …", id="known", classes="question")
        yield ModelList()
        with Horizontal(id="vae"):
            yield Label("another VAE", classes="hint")
            yield PathInput(
                self._shown["model.vae"], suffixes=SUFFIXES, placeholder=_VAE_HINT, id=id_of("model.vae")
            )

    def side(self) -> ComposeResult:
        """Say more about the model under the cursor of the list."""
        yield Static(_ABOUT, id="about", markup=False)

    def on_mount(self) -> None:
        """Look at the model of the draft, and for others."""
        self._begin()
        self._search()

    def problems(self) -> Sequence[str]:
        """A model is needed, and one that can be trained."""
        if not self.draft.get("model.base"):
            return ["name a model: type its path or its name on the Hub, or take one from the list"]
        return self.facts.problems if self.facts else ()

    def action_next(self) -> None:
        """Take the model of the list, else go on, as soon as it is known what the model is."""
        if self.query_one(ModelList).has_focus and self._take_listed():
            return
        if self.draft.get("model.base") and self.facts is None:
            self.is_going_on = True
            self.complain(["the model is still being read; it goes on by itself"])
            return
        if self.facts and self.facts.info:
            remember_model(self.facts.base)
        super().action_next()

    @work(exclusive=True, group="known", exit_on_error=False)
    async def _search(self) -> None:
        async for models in known_models(self.wizard.options.runs_dir):
            self._show_known(models)

    @work(exclusive=True, group="facts", exit_on_error=False)
    async def _begin(self) -> None:
        """Fill in the model used last where none was named."""
        if not self.draft.get("model.base"):
            used = await in_thread(recent_models)
            facts = await in_thread(facts_of, used[0]) if used else None
            if facts and facts.info and not self.draft.get("model.base"):
                self._take(facts.base)
        self._look()

    @work(exclusive=True, group="facts", exit_on_error=False)
    async def _look(self) -> None:
        """Find out what the model is that is named now."""
        draft = self.draft.copy()
        named, vae = str(draft.get("model.base") or ""), str(draft.get("model.vae") or "")
        self.facts = None
        if named:
            said, revision = str(draft.get("model.prediction")), str(draft.get("model.revision") or "main")
            self.facts = await in_thread(facts_of, named, prediction=said, vae=vae, revision=revision)
            if settled.take(self.draft, self.facts):
                self._look()
                return
            family = self.facts.info.family if self.facts.info else None
            if await in_thread(is_misfit, draft.preset, family):
                self.draft.preset = ""  # the hardware step chooses one that fits
        self._show_facts()

    @on(Worker.StateChanged)
    def _fail(self, event: Worker.StateChanged) -> None:
        """Whatever breaks in reading a model is told, instead of waiting for ever."""
        if event.state is WorkerState.ERROR and event.worker.group == "facts":
            problem = f"it cannot be looked at ({safe_text(event.worker.error, 300)}): name another model"
            self.facts = ModelFacts(str(self.draft.get("model.base") or ""), None, (problem,))
            self._show_facts()

    def _show_facts(self) -> None:
        facts = self.facts
        text = facts_text(facts)
        shown = self.query_one("#facts", Static)
        if text != shown.content:
            shown.update(text)
        shown.set_class(facts is not None and facts.info is None and not facts.is_begun, "poor")
        if facts and facts.info:
            self.draft.set("model.base", facts.base)
            self.draft.set("model.vae", facts.vae)
            self.wizard.draft_changed()
            self._go_to_named()
        can_settle = facts is not None and facts.can_be_settled
        if can_settle != self._can_settle:
            self._can_settle = can_settle
            self.refresh_bindings()
        if self.is_going_on:
            self.is_going_on = False
            self.action_next()

    def _show_known(self, models: list[ListedModel]) -> None:
        usable = [model for model in models if model.is_usable]
        self.query_one("#known", Label).update(_known_words(len(usable), len(models) - len(usable)))
        listed = self.query_one(ModelList)
        listed.show_models(usable)
        self._go_to_named()

    def _go_to_named(self) -> None:
        """Show the model that is named in the list, whichever of the two is known first."""
        listed = self.query_one(ModelList)
        if not listed.has_focus:
            listed.go_to(str(self.draft.get("model.base")))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        key = "model.base" if event.input.id == id_of("model.base") else "model.vae"
        if event.value != self._shown[key]:
            self._shown[key] = event.value
            self.draft.set(key, event.value.strip())
            self.facts = None
            self.changed()
            self._look()

    def _take(self, base: str) -> None:
        """Take a model that was not typed."""
        self._shown["model.base"] = with_tilde(base)
        self.query_one(f"#{id_of('model.base')}", PathInput).set_silently(with_tilde(base))
        self.draft.set("model.base", base)
        self.facts = None
        self.changed()

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.complain([event.text])

    @on(ModelList.Moved)
    @on(DescendantFocus)
    def _show_about(self) -> None:
        models = self.query_one(ModelList)
        about = about_model(models.model) if models.model and models.has_focus else Text(_ABOUT)
        for panel in self.query("#about").results(Static):
            panel.update(about)

    @on(ModelList.Chosen)
    def _chosen(self) -> None:
        self._take_listed()

    def _take_listed(self) -> bool:
        """Take the model under the cursor, if it is another one."""
        model = self.query_one(ModelList).model
        if model is None or model.base == self.draft.get("model.base"):
            return False
        self._take(model.base)
        self._look()
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to say what the model predicts where nothing else tells."""
        if action == "settle":
            return self._can_settle
        return super().check_action(action, parameters)

    def action_settle(self) -> None:
        """Say what the model predicts: noise, v, or nothing after all."""
        if self.facts:
            settled.turn(self.draft, self.facts)
            self.changed()
            self._look()


def _known_words(usable: int, others: int) -> Text:
    text = Text(
        "On this machine" if usable else f"No model was found in the usual folders\nSD 1.5 on the Hub: {SD15}"
    )
    more = (["tab, then enter takes one"] if usable else []) + (
        [f"{others} more cannot be trained"] if others else []
    )
    return text.append("".join(f"  ·  {words}" for words in more), style="not bold dim")
