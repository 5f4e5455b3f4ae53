"""Pictures drawn with a trained model, beside those of its start model if wanted."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Label, Static

from dbtui.generate.form import Fields, request_of
from dbtui.generate.look import Look, look_at, newest_model
from dbtui.generate.process import DrawingProcess
from dbtui.generate.progress import Progress
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.widgets.gallery import Entry, Gallery
from dbtui.wizard.widgets.path_input import PathInput
from dbtui.wizard.widgets.plain_input import PlainInput
from dbtui.wizard.widgets.problem_lines import ProblemLines
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.request import Request
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

OUT = "generated"
_SUFFIXES = (".safetensors", ".ckpt")
_BETWEEN = 0.1
"""Seconds between two looks at the progress: each is sent over the line."""
_ROWS = (
    (("seed", "1", 10), ("number", "1", 4), ("size", "as trained", 10)),
    (("steps", "30", 10), ("scale", "7.5", 4)),
)
"""Short fields side by side: name, what is usual, most letters."""


_ENTER = Binding("enter", "submit", "draw", id="generate.submit", tooltip="Draw the pictures")


class _Field(PlainInput):
    """A field in which Enter draws."""

    BINDINGS: ClassVar[list[BindingType]] = [_ENTER]


class _Path(PathInput):
    """A path after which Enter draws."""

    BINDINGS: ClassVar[list[BindingType]] = [_ENTER]


class GenerateScreen(Screen[None]):
    """Asks what to draw with which model, and shows the pictures as they come."""

    CSS_PATH = "generate.tcss"
    HELP = """\
# Pictures with what was trained

**model**: a model or LoRA file, a Diffusers folder, a run (`runs/NAME`) or one of its checkpoints
(`runs/NAME/checkpoints/000500`), also while the training goes on.

**start model**: a LoRA draws beside the model that it was trained on. A run tells which; else name it, or the
folder where your models lie: it is found by its hash.

**seed**: the same seed gives the same noise, so that two models can be compared; more pictures count up from it.
`F4` draws each picture with the start model too. `F5` takes another seed.

**scale**: how strictly to follow the prompt; 7.5 is usual. **size**: `512,768`, multiples of 64.

The pictures lie in `generated/`, with their prompt and settings inside, where web UIs read them. `dbtui generate`
does the same without this screen.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "draw", "draw", id="generate.draw", tooltip="Draw the pictures"),
        Binding("escape", "back", "back / stop", id="generate.back", tooltip="Stop drawing; then back"),
        Binding(
            "f4", "compare", "start model too", id="generate.compare", tooltip="Draw with the start model too"
        ),
        Binding("f5", "seed", "other seed", id="generate.seed", tooltip="Take another seed"),
    ]

    class Told(Message):
        """How far the drawing is."""

        def __init__(self, progress: Progress) -> None:
            super().__init__()
            self.progress = progress

    def __init__(self, model: str = "", prompt: str = "") -> None:
        super().__init__()
        self.model, self.prompt = model, prompt
        self.compares = False
        self.look = Look("", is_good=True)
        self.progress: Progress | None = None
        self._process: DrawingProcess | None = None

    def compose(self) -> ComposeResult:
        """Ask above, show below."""
        yield Label("Generate pictures", classes="title", id="title")
        with Vertical(id="asked"):
            yield from self._row("model", _Path(self.model, suffixes=_SUFFIXES, id="model"))
            yield Static("", id="verdict", markup=False)
            yield from self._row("start model", _Path(suffixes=_SUFFIXES, id="base"), id="base-row")
            yield from self._row("prompt", _Field(self.prompt, id="prompt", max_length=2000))
            yield from self._row("negative", _Field(id="negative", max_length=2000))
            for row in _ROWS:
                with Horizontal(classes="row"):
                    for name, usual, width in row:
                        yield Label(name, classes="name" if name == row[0][0] else "small")
                        field = _Field(placeholder=usual, id=name, max_length=width)
                        field.styles.width = width + 3
                        yield field
        yield Static(f"The pictures appear here, and in {OUT}/.", id="doing", markup=False)
        yield Gallery(id="pictures")
        yield ProblemLines()
        yield Footer()

    def _row(self, name: str, field: Input, id: str | None = None) -> ComposeResult:
        with Horizontal(classes="row", id=id):
            yield Label(name, classes="name")
            yield field

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    def on_mount(self) -> None:
        """Begin at what is missing."""
        self._show_compare()
        self.query_one("#prompt" if self.model else "#model").focus()
        self._begin()

    def on_unmount(self) -> None:
        """Draw for nobody."""
        if self._process:
            self._process.cancel()

    # What the model is.

    @on(Input.Changed, "#model")
    def _model_changed(self, event: Input.Changed) -> None:
        self._look(event.value)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _begin(self) -> None:
        """Fill in what was trained last where no model was named."""
        if not self.model:
            newest = await in_thread(newest_model, self.wizard.options.runs_dir)
            model = self.query_one("#model", PathInput)
            if newest and not model.value:
                model.set_silently(newest)
                if model.has_focus:
                    self.query_one("#prompt").focus()
        self._look(self._text("model"))

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self, named: str) -> None:
        is_named = bool(named.strip())
        self._show_look(await in_thread(look_at, named.strip()) if is_named else Look("", is_good=True))

    def _show_look(self, look: Look) -> None:
        self.look = look
        sign, style = ("✓", "good") if look.is_good else ("!", "poor")
        verdict = self.query_one("#verdict", Static)
        verdict.set_classes(style)
        verdict.update(Text(f"{sign} {look.words}" if look.words else "a file, a folder, a run or a checkpoint"))
        if look.prompt and not self._text("prompt"):
            self.query_one("#prompt", PlainInput).value = look.prompt
        self._show_compare()

    def _show_compare(self) -> None:
        asks = (self.look.is_lora or self.compares) and not self.look.base
        self.query_one("#base-row").display = asks
        was = f"it was called {self.look.was}; " if self.look.was else ""
        self.query_one("#base", PathInput).placeholder = f"{was}the file, or the folder that it lies in"
        title = "Generate pictures" + ("   ● with the start model too, at the same seed" if self.compares else "")
        self.query_one("#title", Label).update(Text(title))

    # Drawing.

    @property
    def is_drawing(self) -> bool:
        """Whether pictures are being drawn."""
        return self.progress is not None and self.progress.code is None

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_draw()

    def action_draw(self) -> None:
        """Draw what is asked for, or say what is wrong with it."""
        if self.is_drawing:
            self.notify("a picture is being drawn; escape stops it")
            return
        self.query_one(ProblemLines).show(())
        try:
            request = request_of(self._fields(), out=OUT)
        except UserError as error:
            self.query_one(ProblemLines).show(error.problems)
            return
        self.progress = Progress()
        self._show_progress(self.progress)
        self.run_worker(self._draw(request), exclusive=True, group="draw", exit_on_error=False)

    async def _draw(self, request: Request) -> None:
        try:
            await in_thread(self._draw_in_thread, request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and another try is possible
            failed = replace(self.progress or Progress(), code=ExitCode.FAILED)
            failed.problems = [f"it could not be drawn: {safe_text(error, 300)}"]
            self.progress = failed
            self._show_progress(failed)

    def _draw_in_thread(self, request: Request) -> None:
        from dbtui.generate.candidates import candidates

        runs_dir = self.wizard.options.runs_dir
        progress, told = Progress(), 0.0
        with DrawingProcess(replace(request, candidates=candidates(runs_dir))) as process:
            self._process = process
            if not self.is_attached:
                process.cancel()
            for event in process.events():
                progress.take(event)
                if event["kind"] != "progress" or time.monotonic() - told > _BETWEEN:
                    told = time.monotonic() if event["kind"] == "progress" else told
                    self.post_message(self.Told(replace(progress, pictures=[*progress.pictures])))

    @on(Told)
    def _told(self, message: Told) -> None:
        self.progress = message.progress
        self._show_progress(message.progress)

    def _show_progress(self, progress: Progress) -> None:
        gallery = self.query_one("#pictures", Gallery)
        entries = [Entry(each.path, mark=_mark(each.seed, is_base=each.is_base)) for each in progress.in_pairs]
        if [entry.path for entry in gallery.entries] != [entry.path for entry in entries]:
            gallery.show(entries)
        self.query_one("#doing", Static).update(_doing(progress, self.size.width - 4))
        if progress.problems:
            self.query_one(ProblemLines).show(progress.problems)

    def _fields(self) -> Fields:
        names = ("model", "base", "prompt", "negative", "seed", "steps", "scale", "size", "number")
        base = {} if self.query_one("#base-row").display else {"base": ""}
        texts = {name: self._text(name) for name in names} | base
        return Fields(**texts, compare=self.compares)

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def action_compare(self) -> None:
        """Draw with the start model too, or not."""
        self.compares = not self.compares
        self._show_compare()

    def action_seed(self) -> None:
        """Take a seed that was not used before."""
        import random

        self.query_one("#seed", Input).value = str(random.randrange(2**31))

    def action_back(self) -> None:
        """Stop the drawing; where nothing is drawn, go back."""
        if self.is_drawing and self._process:
            self._process.cancel()
        else:
            self.app.pop_screen()


def _mark(seed: int, *, is_base: bool) -> str:
    return f"seed {seed}, before" if is_base else f"seed {seed}"


def _doing(progress: Progress, width: int) -> Text:
    """Say how far it is, with a bar of signs: how much is done shows without colour."""
    if progress.code is not None:
        where = f" in {OUT}/" if progress.pictures else ""
        notes = "".join(f"\ni {note}" for note in progress.notes[:2])
        count = len(progress.pictures)
        return Text(f"{count} {'picture' if count == 1 else 'pictures'}{where}{notes}")
    room = max(4, min(30, width // 3))
    filled = round(progress.share * room)
    return Text(f"{'█' * filled}{'░' * (room - filled)}  {progress.words}")
