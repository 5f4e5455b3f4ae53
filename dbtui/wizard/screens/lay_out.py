"""Asks how a plain folder is laid out, and does it: a new folder of links or copies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label, Static

from dbtui.wizard.in_thread import to_the_end
from dbtui.wizard.pictures.found import Found
from dbtui.wizard.pictures.laying_out import Made, Plan, Subject, Way, lay_out, plan_layout
from dbtui.wizard.widgets.choices import Choice, Choices
from dbtui.wizard.widgets.path_input import PathInput
from trainer_core.data.listing import counted
from trainer_core.disk import gigabytes
from trainer_core.errors import UserError
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

_WAYS = (
    Choice("hard", "Hard links", ("no room needed; they stay if the originals are moved",), letter="h"),
    Choice("symbolic", "Symbolic links", ("no room needed; they break if the originals are moved",), letter="s"),
    Choice("copy", "Copies", ("independent, and need room once more",), letter="c"),
)


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What was made.

    Attributes:
        folder: the new folder.
        moved: the new path of each file.
        words: for the person.
    """

    folder: Path
    moved: Mapping[Path, Path]
    words: str


class LayOutScreen(ModalScreen[LaidOut | None]):
    """Returns what was made; None if nothing was."""

    CSS_PATH = "lay_out.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "make", "make it", id="lay_out.make", tooltip="Make the new folder"),
        Binding("escape", "leave", "not now", id="lay_out.leave", tooltip="Make nothing, or stop and undo it"),
    ]

    def __init__(self, found: Found, proposed: Path) -> None:
        super().__init__()
        self.found, self.proposed = found, proposed
        self.subjects = [
            Subject(
                words=folder.prompt,
                repeats=row.repeats,
                identifier=folder.identifier,
                class_name=folder.class_name,
                folder=folder.path,
                pictures=tuple(picture.path for picture in folder.pictures),
            )
            for folder, row in zip(found.scan.train, found.rows, strict=True)
        ]
        self._stop = Event()
        self._at = (0, 0)
        self._is_making = False

    def compose(self) -> ComposeResult:
        """Ask where and how."""
        names = "  ".join(f'"{safe_text(subject.name, 60)}"' for subject in self.subjects[:4])
        bad = len(self.found.scan.bad_images)
        left_out = f" {counted(bad, 'unreadable picture')} left out." if bad else ""
        with Vertical(classes="dialog"):
            yield Label("Lay the pictures out for the trainer", classes="title")
            yield Static(Text(f"A new folder that holds {names}.{left_out} Your own files stay as they are."))
            yield Label("Where", classes="question")
            yield PathInput(str(self.proposed), id="target")
            yield Label("How", classes="question")
            yield Choices(_WAYS, chosen="hard", id="way")
            yield Static(id="said", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the usual answer."""
        self.query_one(Choices).focus()
        self.set_interval(0.25, self._tell)

    def on_unmount(self) -> None:
        """Stop, which undoes what was begun."""
        self._stop.set()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_make()

    def action_leave(self) -> None:
        """Make nothing; while it is being made, stop it."""
        if self._is_making:
            self._stop.set()
        else:
            self.dismiss(None)

    def action_make(self) -> None:
        """Make it."""
        if not self._is_making:
            self._is_making = True
            self._stop.clear()
            self._make(from_home(self.query_one(PathInput).value.strip()), self.query_one(Choices).value)

    @work(exclusive=True, exit_on_error=False)
    async def _make(self, target: Path, way: str) -> None:
        try:
            plan, made = await to_the_end(self._work, target, cast("Way", way))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the dialog can be left
            self._is_making = False
            self._say(_told(error))
            return
        self.dismiss(LaidOut(plan.target, made.moved, _words(plan, made)))

    def _work(self, target: Path, way: Way) -> tuple[Plan, Made]:
        """Plan and make it, in a thread."""
        plan = plan_layout(target, self.subjects, self.found.dataset.caption_extension)
        return plan, lay_out(plan, way, self._progress)

    def _progress(self, done: int, total: int) -> None:
        self._at = (done, total)
        if self._stop.is_set():
            raise _StoppedError

    def _tell(self) -> None:
        if self._is_making and self._at[1]:
            self._say([f"{self._at[0]:,} of {self._at[1]:,} files (escape stops and undoes it)"], sign="")

    def _say(self, lines: list[str], sign: str = "! ") -> None:
        self.query_one("#said", Static).update(Text("\n".join(sign + line for line in lines)))


class _StoppedError(Exception):
    """The person no longer wants it."""


def _told(error: Exception) -> list[str]:
    if isinstance(error, UserError):
        return error.problems
    if isinstance(error, _StoppedError):
        return ["stopped; what was begun is removed"]
    return [f"this went wrong: {safe_text(repr(error), 300)}"]


def _words(plan: Plan, made: Made) -> str:
    done = [counted(made.linked, "link")] if made.linked else []
    if made.copied:
        done.append(f"{'copies' if made.copied > 1 else 'copy'} of {counted(made.copied, 'file')}")
    size = f", {gigabytes(plan.size)}" if made.copied else ""
    return f"made {' and '.join(done)}{size} in {safe_text(plan.target, 200)}"
