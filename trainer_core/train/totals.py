"""What a training has done in all, over every resume; it is part of its checkpoints."""

from dataclasses import dataclass, replace


@dataclass(slots=True)
class Totals:
    """Counts that go on where the checkpoint had them. What a killed process did after that is not counted.

    Attributes:
        seconds: time of the steps, without loading, saves, previews and pauses.
        images: samples trained on; a picture counts each time.
        resumes: how often the training was resumed.
    """

    seconds: float = 0.0
    images: int = 0
    resumes: int = 0

    def add(self, seconds: float, images: int) -> None:
        """Count a step."""
        self.seconds += seconds
        self.images += images

    def resumed(self) -> "Totals":
        """Return the totals with which the next part begins."""
        return replace(self, resumes=self.resumes + 1)
