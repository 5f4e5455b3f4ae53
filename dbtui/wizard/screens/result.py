"""What became of a run: how it ended, before and after, its curves, where the model is, what to do now."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from dbtui.dashboard.words import loss_text
from dbtui.wizard import run_actions
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.monitor.result import Curve, Result, Shown, result_of
from dbtui.wizard.monitor.watch import Watch
from dbtui.wizard.widgets.curves import Curves, Plot
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_RESUMABLE = {"stopped", "failed", "crashed", "fetched", "not started"}
HELP = """\
# The result

How the run ended, and where its model is. Before and after are the same prompt and the same seed: all that differs
is what was learned.

- **g** draws pictures with the model. **b** shows every preview, step by step: the last is not always the best.
- **f** begins a new run with all the answers of this one.
- **r** goes on with a run that was stopped or failed; **t** trains one that is done further.
- **e** (after a failure) begins a new run at the question whose answer mends it.
- **o** writes the report: one page with everything, to keep or to give away. **l** is the log.
"""


class ResultScreen(Screen[None]):
    """Shows a run that is over."""

    CSS_PATH = "result.tcss"
    HELP = HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "generate", "draw", id="result.generate", tooltip="Draw with the model"),
        Binding("f", "new_from", "reuse", id="result.from", tooltip="A new run with all answers of this one"),
        Binding("e", "mend", "mend it", id="result.mend", tooltip="A new run, at the question that mends it"),
        Binding("r", "resume", "resume", id="result.resume", tooltip="Go on where it stopped"),
        Binding("t", "longer", "train on", id="result.longer", tooltip="Train it further"),
        Binding("o", "report", "report", id="result.report", tooltip="Write one page about it all"),
        Binding("b", "previews", "browse", id="result.previews", tooltip="Every preview, step by step"),
        Binding("l", "log", "log", id="result.log", tooltip="What happened, line by line"),
        Binding("escape,d", "home", "home", id="result.home", tooltip="Back to the list of runs"),
    ]

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch_of_run = watch
        self.result: Result | None = None

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    def compose(self) -> ComposeResult:
        """Yield the words, the pictures and the curves."""
        with VerticalScroll(id="words", can_focus=False):
            yield Static(Text(f"reading {self.watch_of_run.run.name} …", "dim"), id="summary", markup=False)
            yield Static(id="mend", markup=False)
        with Horizontal(id="shown"):
            for side in ("before", "after"):
                with Vertical(id=side, classes="side"):
                    yield Static(classes="step", markup=False)
                    yield Thumbnail(classes="picture")
            yield Curves(id="curves")
        yield Static(id="prompt", markup=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Read it."""
        self._read()

    @work(exclusive=True, group="result", exit_on_error=False)
    async def _read(self) -> None:
        try:
            self._show(await in_thread(result_of, self.watch_of_run))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self.query_one("#summary", Static).update(Text(f"! it cannot be read: {safe_text(error)}"))

    def _show(self, result: Result) -> None:
        self.result = result
        self.query_one("#summary", Static).update(Text("\n").join(result.lines))
        self.query_one("#mend").display = bool(result.mends)
        if result.mends:
            mend = result.mends[0]
            words = f"  e         a new run from it, at “{mend.step.word}”: what mends it is asked there"
            self.query_one("#mend", Static).update(Text(words, "bold"))
        self._show_picture("before", result.before, "before" if result.before else "")
        self._show_picture("after", result.after, "after" if result.before else "preview")
        if result.after:
            self.query_one("#prompt", Static).update(Text(f"  “{safe_text(result.after.prompt)}”", "italic dim"))
        self.query_one(Curves).show(_plots(result))
        self.refresh_bindings()

    def _show_picture(self, side: str, shown: Shown | None, word: str) -> None:
        self.query_one(f"#{side}").display = shown is not None
        if shown:
            self.query_one(f"#{side} .step", Static).update(f"{word}: step {shown.step}")
            self.query_one(f"#{side} Thumbnail", Thumbnail).show(shown.path)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense after this end."""
        result = self.result
        match action:
            case "generate":
                return result is not None and result.model is not None
            case "mend":
                return result is not None and bool(result.mends)
            case "resume":
                return result is not None and result.status in _RESUMABLE
            case "longer":
                return result is not None and result.status == "done" and result.length is not None
            case "previews":
                return result is not None and result.after is not None
        return True

    def action_home(self) -> None:
        """Go back to the list of runs."""
        self.wizard.go_home()

    def action_generate(self) -> None:
        """Draw with the model."""
        from dbtui.wizard.screens.generate import GenerateScreen

        if self.result and self.result.model:
            prompts = self.watch_of_run.facts.prompts
            self.wizard.push_screen(GenerateScreen(str(self.result.model), next(iter(prompts), "")))

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_new_from(self) -> None:
        """Begin a new run with its answers."""
        await run_actions.new_from(self.wizard, self.watch_of_run.run)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_mend(self) -> None:
        """Begin a new run with its answers, at the one that did not work."""
        if self.result:
            await run_actions.new_from(self.wizard, self.watch_of_run.run, self.result.mends[0])

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_resume(self) -> None:
        """Go on with it."""
        await run_actions.resume(self.wizard, self.watch_of_run.run)

    @work(exclusive=True, group="run", exit_on_error=False)
    async def action_longer(self) -> None:
        """Train it further, to a number of steps or epochs that is asked for."""
        from dbtui.wizard.screens.train_longer import TrainLonger

        if self.result and self.result.length:
            length = self.result.length
            if more := await self.wizard.push_screen_wait(TrainLonger(length)):
                await run_actions.resume(self.wizard, self.watch_of_run.run, (f"{length.key}={more}",))

    @work(exclusive=True, group="report", exit_on_error=False)
    async def action_report(self) -> None:
        """Write the report."""
        try:
            await in_thread(run_actions.written_report, self.watch_of_run.run)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            await run_actions.tell(self.wizard, "the report cannot be written", error)
            return
        self.notify("The report is written: one file, to open in any browser.", timeout=8)
        self._read()  # its place is among the lines

    def action_previews(self) -> None:
        """Show every preview."""
        from dbtui.wizard.screens.run_previews import RunPreviewsScreen

        self.wizard.push_screen(RunPreviewsScreen(self.watch_of_run.run))

    def action_log(self) -> None:
        """Show what happened."""
        from dbtui.wizard.screens.run_log import RunLogScreen

        self.wizard.push_screen(RunLogScreen(self.watch_of_run.run))


def _plots(result: Result) -> list[Plot]:
    plots = []
    if result.loss.smooth:
        last = loss_text(result.loss.smooth[-1][1])
        plots.append(
            Plot(f"loss  (smooth {last} at the end)", result.loss.raw, result.loss.smooth, result.validation)
        )
    if result.vram.raw:
        plots.append(Plot(f"VRAM in GB  (at most {_most(result.vram):.1f})", (), result.vram.raw))
    return plots


def _most(curve: Curve) -> float:
    return max(value for _, value in curve.raw)
