"""The monitor of a live run: the dashboard, with keys; when the run ends, its result."""

import time
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.monitor.watch import Picture, Watch
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.run.control import CommandKind
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_LOOK_EVERY = 0.5
_SLOW = 5.0
_NOTE_STAYS = 8.0
HELP = """\
# The monitor

What the trainer does just now. It is a program of its own: it goes on when you go back (**d**), leave dbtui, or
lose the connection.

- **v** draws the previews now, **s** saves a model now; the training goes on afterwards.
- **space** pauses and frees the GPU's memory; space again goes on exactly there.
- **x** stops: the trainer ends its step, saves everything, and leaves. `r` resumes it later.
- **b** shows the previews as large as the screen, **l** what happened so far, line by line.

The loss jumps from step to step, because each step sees other pictures and another noise: look at the smooth line,
and at the previews. When it no longer falls and the previews show your subject, it is done; when they all begin to
look like your photos, it has learned too much: an earlier save is the better model.
"""


class Board(Static):
    """The dashboard's lines; it tells when it has other room for them."""

    class Resized(Message):
        """It has other room."""

    def on_resize(self) -> None:
        """Tell it."""
        self.post_message(self.Resized())


class MonitorScreen(Screen[None]):
    """Shows a run as it stands, twice a second; whatever the disk does, the keys answer."""

    CSS_PATH = "monitor.tcss"
    HELP = HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "ask('sample')", "preview", id="monitor.preview", tooltip="Draw the previews now"),
        Binding("s", "ask('save')", "save", id="monitor.save", tooltip="Save a model now and go on"),
        Binding("space,p", "ask('pause')", "pause", id="monitor.pause", tooltip="Free the GPU; space goes on"),
        Binding("space,p", "ask('unpause')", "go on", id="monitor.go_on", tooltip="Train on"),
        Binding("x", "ask('stop')", "stop", id="monitor.stop", tooltip="End the step, save, and stop"),
        Binding("d,escape", "detach", "detach", id="monitor.detach", tooltip="Go home; the training goes on"),
        Binding("l", "log", "log", id="monitor.log", tooltip="What happened, line by line"),
        Binding("b", "previews", "browse", id="monitor.previews", tooltip="The previews, large"),
    ]
    _NOTES: ClassVar[dict[CommandKind, str]] = {
        "sample": "a preview is asked for: it comes after this step",
        "save": "a save is asked for: it comes after this step",
        "pause": "a pause is asked for: it comes after this step",
        "unpause": "going on is asked for",
        "stop": "stopping: the trainer ends its step and saves · d leaves it to that",
    }

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run_directory = run
        self.watch_of_run: Watch | None = None
        self.picture: Picture | None = None
        self._note, self._note_until = "", 0.0
        self._looking_since: float | None = None
        self._is_left = False

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        return cast("WizardApp", self.app)

    def compose(self) -> ComposeResult:
        """Yield the dashboard, and beside it the last preview where it is wide."""
        with Horizontal(id="middle"):
            yield Board(Text(f"looking at {self.run_directory.name} …", "dim"), id="dashboard", markup=False)
            with Vertical(id="side"):
                yield Thumbnail(id="preview")
                yield Static(id="prompt", markup=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Look, and look again."""
        self.call_after_refresh(self._look)
        self.set_interval(_LOOK_EVERY, self._look)

    @on(Board.Resized)
    def _draw_anew(self) -> None:
        self.call_after_refresh(self._look)

    def _look(self) -> None:
        if self._looking_since is not None:
            silent = time.monotonic() - self._looking_since
            if silent > _SLOW:
                self._tell_trouble(
                    f"the disk has not answered for {silent:.0f} s; the training itself may well go on"
                )
        elif self.is_current and not self._is_left:
            self._looking_since = time.monotonic()
            self._look_at_run()

    @work(group="look", exit_on_error=False)
    async def _look_at_run(self) -> None:
        try:
            self.watch_of_run = watch = self.watch_of_run or Watch(self.run_directory, self.wizard.trainers)
            size = self.query_one("#dashboard").size
            note = self._note if time.monotonic() < self._note_until else ""
            self._show(await in_thread(watch.look, size.width, size.height, note))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._tell_trouble(safe_text(error))
        finally:
            self._looking_since = None

    def _show(self, picture: Picture) -> None:
        if picture.has_ended and self.is_current:
            self._show_result()
            return
        before, self.picture = self.picture, picture
        if before is None or before.lines != picture.lines:
            self.query_one("#dashboard", Static).update(Text("\n", no_wrap=True).join(picture.lines))
        if before is None or (before.status, before.has_begun) != (picture.status, picture.has_begun):
            self.refresh_bindings()
        if before is None or before.preview != picture.preview:
            self.query_one("#preview", Thumbnail).show(picture.preview)
            self.query_one("#prompt", Static).update(Text(safe_text(picture.prompt), "italic"))
            self.set_class(picture.preview is not None, "-preview")

    def _show_result(self) -> None:
        from dbtui.wizard.screens.result import ResultScreen

        assert self.watch_of_run is not None
        self._is_left = True
        self.wizard.switch_screen(ResultScreen(self.watch_of_run))

    def _tell_trouble(self, words: str) -> None:
        lines = self.picture.lines if self.picture else ()
        shown = Text("\n", no_wrap=True).join([*lines[:-1], Text(f"! {words}", "bold yellow")])
        self.query_one("#dashboard", Static).update(shown)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be asked of the trainer as it stands."""
        if action != "ask":
            return True
        if self.picture is not None and not self.picture.has_begun:
            return parameters == ("stop",)
        is_paused = self.picture is not None and self.picture.status == "paused"
        return parameters in {("unpause",), ("stop",)} if is_paused else parameters != ("unpause",)

    @work(group="ask", exit_on_error=False)
    async def action_ask(self, kind: CommandKind) -> None:
        """Ask the trainer for something; its answer is one of the news."""
        if self.watch_of_run is None:
            return
        self._note, self._note_until = self._NOTES[kind], time.monotonic() + _NOTE_STAYS
        try:
            await in_thread(self.watch_of_run.command, kind)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._note = safe_text(error)
        self._look()

    def action_detach(self) -> None:
        """Leave the training to itself."""
        self.wizard.go_home()

    def action_log(self) -> None:
        """Show what happened so far."""
        from dbtui.wizard.screens.run_log import RunLogScreen

        self.wizard.push_screen(RunLogScreen(self.run_directory))

    def action_previews(self) -> None:
        """Show the previews large."""
        from dbtui.wizard.screens.run_previews import RunPreviewsScreen

        self.wizard.push_screen(RunPreviewsScreen(self.run_directory))
