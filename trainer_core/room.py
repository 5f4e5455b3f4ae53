"""Whether what is about to be written fits on the disk: asked before each write, so that none fills it up."""

import shutil
from pathlib import Path

SPARE_BYTES = 16 * 2**20
"""Headers, configurations, events and logs."""
LITTLE_BYTES = 2**20
"""Left for events and logs beside a checkpoint, whose size is known."""


def why_no_room(folder: Path, size: int, spare: int = SPARE_BYTES) -> str | None:
    """Return what is missing where `size` bytes and `spare` are not free in `folder`, which exists."""
    free, needed = shutil.disk_usage(folder).free, size + spare
    if free >= needed:
        return None
    return f"not enough room: {_amount(needed)} are needed and {_amount(free)} are free"


def _amount(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.2f} MB"
