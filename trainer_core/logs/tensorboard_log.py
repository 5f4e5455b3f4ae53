"""A log for TensorBoard: an event file in the log's folder."""

from pathlib import Path

FLUSH_SECONDS = 10


class TensorBoardLog:
    """Writes numbers and previews with torch's SummaryWriter, which needs the package `tensorboard`."""

    def __init__(self, folder: Path, from_step: int) -> None:
        """Open a file in `folder`; readers drop what an earlier part of the run wrote after `from_step`."""
        from torch.utils.tensorboard import SummaryWriter

        purge = from_step + 1 if from_step else None
        self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=FLUSH_SECONDS)

    def write_numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers of one step."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)

    def write_picture(self, step: int, name: str, picture: Path, prompt: str) -> None:
        """Log a preview as `samples/<name>`, and its prompt beside it."""
        import numpy
        from PIL import Image

        with Image.open(picture) as image:
            pixels = numpy.asarray(image.convert("RGB"))
        self._writer.add_image(f"samples/{name}", pixels, step, dataformats="HWC")
        self._writer.add_text(f"samples/{name}/prompt", prompt, step)

    def close(self) -> None:
        """Write what waits and end."""
        self._writer.close()
