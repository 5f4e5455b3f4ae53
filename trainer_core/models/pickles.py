"""Whether pickled checkpoints may be read here at all; no torch.

Before torch 2.10 a hostile file could corrupt memory even through the restricted unpickler (CVE-2026-24747).
"""

from importlib.metadata import version
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

SAFE_TORCH = (2, 10)


def reads_pickles(torch_version: str) -> bool:
    """Tell whether a version of torch reads pickles safely."""
    release = torch_version.split("+")[0].split(".")[:2]
    return tuple(int("".join(filter(str.isdecimal, part)) or 0) for part in release) >= SAFE_TORCH


def check_torch(path: Path) -> None:
    """Raise a UserError about the pickle `path` if the installed torch is too old to read it safely.

    Raises importlib.metadata.PackageNotFoundError where torch is not installed.
    """
    installed = version("torch")
    if not reads_pickles(installed):
        raise UserError(
            f"{safe_text(path)}: torch {installed} cannot read pickled checkpoints safely (CVE-2026-24747). "
            "Convert it on a machine with torch 2.10 or newer (dbtui convert SRC DST.safetensors), or update "
            "torch here",
            ExitCode.MODEL,
        )
