"""What this machine can do, told as it is found."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, ClassVar, TextIO, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Label, Static

from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.doctor.finding import Finding
    from dbtui.wizard.app import WizardApp

Examine = Callable[[Path, TextIO, Callable[[str], None], Callable[[], bool]], Iterator["Finding"]]

_HELP = """
# Doctor

Looks at everything that a training needs: torch and the graphics card, the libraries, memory, disks, this
terminal. Each line is one thing:

- **✓** is as it should be,
- **i** is worth knowing; a training starts all the same,
- **✗** keeps a training from starting, or from using the card.

The line with **→** says what to do. `dbtui doctor` prints the same; `--json` is for programs.
"""


class DoctorScreen(Screen[None]):
    """Findings stream in from a thread; whoever leaves waits for none of them."""

    HELP = _HELP
    CSS_PATH = "doctor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "look again", id="doctor.again", tooltip="Look at everything anew"),
        Binding("escape,q", "leave", "home", id="doctor.leave", tooltip="Go back; what is being asked is dropped"),
    ]

    @dataclass
    class Told(Message):
        """What is being looked at, or found; `finding` None and `words` "" mean the end."""

        round: Event
        words: str = ""
        finding: "Finding | None" = None

    def __init__(self, examine: Examine | None = None) -> None:
        super().__init__()
        self.findings: list[Finding] = []
        self._examine = examine
        self._left = Event()

    def compose(self) -> ComposeResult:
        """Show a line of state over the findings."""
        yield Label("Doctor", classes="title")
        yield Static(id="state", markup=False)
        with VerticalScroll(id="findings"):
            yield Static(id="table", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#findings").focus()
        self.action_again()

    def on_unmount(self) -> None:
        """Wait for nothing any more."""
        self._left.set()

    def action_again(self) -> None:
        """Look at everything anew."""
        self._left.set()
        self._left = Event()
        self.findings = []
        self.query_one("#table", Static).update("")
        self._say("looking around …")
        runs_dir = cast("WizardApp", self.app).options.runs_dir
        Thread(target=self._look, args=(runs_dir, self._left), name="doctor", daemon=True).start()

    def action_leave(self) -> None:
        """Go back to where it was opened."""
        cast("WizardApp", self.app).go_home()

    def _look(self, runs_dir: Path, left: Event) -> None:
        """Ask everything, in a thread that the application does not wait for."""
        try:
            for finding in self._findings(runs_dir, left):
                self._tell(self.Told(left, finding=finding))
                if left.is_set():
                    return
            self._tell(self.Told(left))
        except Exception as error:  # noqa: BLE001 - whatever breaks is told, and takes nobody down
            self._tell(self.Told(left, words=f"stopped: {safe_text(error, 300)}"))

    def _findings(self, runs_dir: Path, left: Event) -> Iterator["Finding"]:
        from dbtui.doctor.examine import examine

        def tell(words: str) -> None:
            self._tell(self.Told(left, words=f"looking at {words} …"))

        out = sys.__stdout__ or sys.stdout  # the application puts something else in its place
        return (self._examine or examine)(runs_dir, out, tell, left.is_set)

    def _tell(self, message: "DoctorScreen.Told") -> None:
        if not message.round.is_set():
            self.post_message(message)

    @on(Told)
    def _show(self, event: Told) -> None:
        from dbtui.doctor.show import findings_view, verdict

        if event.round is not self._left:
            return  # of a look that was given up
        if event.finding:
            self.findings.append(event.finding)
            self.query_one("#table", Static).update(findings_view(self.findings))
        elif event.words:
            self._say(event.words)
        else:
            self.query_one("#state", Static).update(verdict(self.findings))

    def _say(self, words: str) -> None:
        self.query_one("#state", Static).update(Text(words, style="dim"))
