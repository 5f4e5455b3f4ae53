"""How long a disk that takes nothing is borne: the training goes on while an earlier state stands, for a while."""

from dataclasses import dataclass
from pathlib import Path

from trainer_core.errors import UserError
from trainer_core.run.checkpoints import step_of

MOST_FAILURES = 3
"""Saves in a row that may fail; the last of them ends the training."""


@dataclass(slots=True)
class Patience:
    """Counts failures in a row of one kind of save.

    Attributes:
        failures: saves in a row that failed.
    """

    failures: int = 0

    def worked(self) -> None:
        """Take note of a save that worked."""
        self.failures = 0

    def bear(self, error: UserError, standing: Path | None) -> str:
        """Return the words of a warning if the training may go on without this save, else raise what ends it.

        Without an earlier state everything would be lost with the process, so the first failure ends it.
        """
        self.failures += 1
        text = " ".join(error.problems)
        if standing is None:
            reason = "no earlier state stands, so the training does not go on unprotected"
            raise UserError([*error.problems, reason], error.code) from error
        if self.failures >= MOST_FAILURES:
            raise UserError([*error.problems, way_back(step_of(standing), self.failures)], error.code) from error
        stands = f"the state of step {step_of(standing)} stands, so the training goes on"
        return f"{text}; {stands} ({self.failures} of {MOST_FAILURES} failures in a row)"


def way_back(step: int, failures: int = 1) -> str:
    """Say what a resume begins with."""
    count = f"that was the failure number {failures} in a row; " if failures > 1 else ""
    return f"{count}`dbtui resume` goes on from step {step}, once there is room"
