"""What a training has done in all, over every resume; it is part of its checkpoints."""

import time
from dataclasses import dataclass, replace


@dataclass(slots=True)
class Totals:
    """Counts that go on where the checkpoint had them. What a killed process did after that is not counted.

    Attributes:
        seconds: time of training, with its saves and previews, without loading.
        images: samples trained on; a picture counts each time.
        resumes: how often the training was resumed.
    """

    seconds: float = 0.0
    images: int = 0
    resumes: int = 0

    def resumed(self) -> "Totals":
        """Return the totals of the next part."""
        return replace(self, resumes=self.resumes + 1)


class Clock:
    """Counts the seconds of this process's part. It stands still until `start`."""

    def __init__(self) -> None:
        self._started: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return 0.0 if self._started is None else time.monotonic() - self._started
