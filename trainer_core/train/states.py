"""The complete state of a training: when it is due, what is told of it, and how long failures are borne."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.errors import UserError
from trainer_core.run.checkpoints import step_of
from trainer_core.run.events import EventWriter
from trainer_core.run.grace import likely_grace, too_short
from trainer_core.train.job import Job
from trainer_core.train.patience import Patience, way_back
from trainer_core.train.resume import checkpoint_of
from trainer_core.train.state_saver import SavedState, StateSaver


@dataclass(slots=True)
class States:
    """The states of one run.

    Attributes:
        saver: what writes them.
        current: the step whose state is saved, or being saved, as it is now.
    """

    job: Job
    events: EventWriter
    saver: StateSaver
    current: int | None = None
    patience: Patience = field(default_factory=Patience)
    since: float = field(default_factory=time.monotonic)
    _told_grace: bool = False

    def resumed_from(self, path: Path, *, is_same: bool) -> None:
        """Take note of the checkpoint that the training goes on from, and whether it still says all that is so."""
        self.saver.resumed_from(path)
        self.current = step_of(path) if is_same else None

    def has(self) -> bool:
        """Tell whether the state of this very step is saved, or being saved."""
        return self.current == self.job.step

    def is_due(self) -> bool:
        """Tell whether `save.state_every_minutes` have passed since the last save."""
        minutes = self.job.config.save.state_every_minutes
        return minutes > 0 and time.monotonic() - self.since >= 60 * minutes

    def save(self) -> None:
        """Save the state while the training goes on. Raises UserError(DISK) where it may not go on."""
        self.job.settle()
        self.look(wait=True)
        try:
            self.saver.start(checkpoint_of(self.job))
            self.current = self.job.step
        except UserError as error:
            self._failed(error)
        self.since = time.monotonic()
        self.look()

    def save_last(self) -> None:
        """Have the state of this step saved, because no step follows. Raises UserError(DISK) if it cannot be."""
        self.job.settle()
        self.end(in_haste=True)
        if self.has():
            return
        try:
            saved = self.saver.save_now(checkpoint_of(self.job))
        except UserError as error:
            standing = self.saver.fallback()
            more = [way_back(step_of(standing))] if standing else ["nothing was saved before"]
            raise UserError([*error.problems, *more], error.code) from error
        self.current = self.job.step
        self._tell(saved)

    def look(self, *, wait: bool = False) -> None:
        """Tell what became of the state that is being saved, once it is known; UserError(DISK) as in `save`."""
        try:
            if saved := self.saver.outcome(wait=wait):
                self._tell(saved)
        except UserError as error:
            self._failed(error)

    def end(self, *, in_haste: bool) -> None:
        """Wait until nothing is being saved; failing is only told. In haste it is not read back."""
        try:
            if saved := self.saver.outcome(wait=True, hurry=in_haste):
                self._tell(saved)
        except UserError as error:
            self.current = None
            self._warn(" ".join(error.problems))

    def _failed(self, error: UserError) -> None:
        self.current = None
        self._warn(self.patience.bear(error, self.saver.fallback()))

    def _tell(self, saved: SavedState) -> None:
        self.patience.worked()
        self.events.emit(
            "checkpoint",
            step=saved.step,
            path=str(saved.path),
            seconds=round(saved.seconds, 3),
            bytes=saved.bytes,
            stall=round(saved.stall, 3),
            totals=saved.totals,
        )
        self._compare_with_grace(saved.seconds)

    def _compare_with_grace(self, seconds: float) -> None:
        """Warn once if a stop would probably be killed before its save is done."""
        text = too_short(likely_grace(), seconds, self.job.config.save.state_every_minutes)
        if text and not self._told_grace:
            self._told_grace = True
            self.events.emit("warning", code="grace", text=text, step=self.job.step)

    def _warn(self, text: str) -> None:
        self.events.emit("warning", code="state_not_saved", text=text, step=self.job.step)
