"""Previews as they stand in a page: made small, as data URIs, within a limit of bytes."""

import base64
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trainer_core.data.images import BadPictureError, load_picture
from trainer_core.report.seen import as_jpeg
from trainer_core.run.directory import RunDirectory

MOST_BYTES = 10 * 2**20
"""Of all pictures of a page together, in base64."""
_QUALITY = 82


@dataclass(slots=True)
class Embedder:
    """Embeds pictures of one run's samples folder.

    Attributes:
        left: bytes that may still be embedded.
        left_out: pictures for which there was no room.
    """

    run: RunDirectory
    left: int = MOST_BYTES
    left_out: int = 0

    def embed(self, path: str, side: int) -> str | None:
        """Return a data URI of the preview that an event calls `path`, no side longer than `side` pixels.

        Only files of the samples folder are read: events may come from another machine. None if there is no such
        picture, or no room for it.
        """
        file = self.run.samples / Path(path).name
        if file.is_symlink() or self.run.samples.is_symlink():
            return None
        try:
            picture = load_picture(file)
        except (BadPictureError, MemoryError, ValueError):
            return None
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        uri = data_uri(base64.b64encode(as_jpeg(picture, _QUALITY)).decode("ascii"))
        if len(uri) > self.left:
            self.left_out += 1
            return None
        self.left -= len(uri)
        return uri


def data_uri(jpeg: str) -> str:
    """Return the address that stands for a JPEG given in base64."""
    return f"data:image/jpeg;base64,{jpeg}"
