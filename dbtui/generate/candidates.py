"""Where the start model of a LoRA may lie on this machine: its hash tells which it is."""

from pathlib import Path

from dbtui.wizard.models.known import places
from dbtui.wizard.recent import recent_models


def candidates(runs_dir: Path) -> tuple[str, ...]:
    """Return models used before, and the folders where web UIs keep theirs; they need not exist."""
    folders = [str(place.folder) for below in places(runs_dir) for place in below]
    return (*recent_models(), *folders)
