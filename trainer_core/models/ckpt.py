"""Pickled checkpoints (`.ckpt`, `.bin`): unpickled only in a process of its own that keeps tensors alone.

torch's restricted unpickler (`weights_only=True`) builds tensors and plain containers and refuses all other code.
Before torch 2.10 a hostile file could corrupt memory even there (CVE-2026-24747), so older versions read none.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.pickles import check_torch
from trainer_core.text import safe_text

TIMEOUT_SECONDS = 3600
EXTRACT_OPTION = "--extract-ckpt"
_COPIES = "dbtui-ckpt-"
FOREIGN = re.compile(r"(?:GLOBAL|builtins|but got) ([\w.]*[A-Za-z_][\w.]*)")  # in torch's messages

# Classes that trainers of the first years left in their files beside the weights. A stand-in without any
# behaviour takes their place, so that the rest of the file can be read; nothing of them is kept.
HARMLESS_GLOBALS = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)


class StandIn:
    """Accepts any arguments and state, and does nothing with them."""

    def __init__(self, *values: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def self_command() -> list[str]:
    """Return the command that starts this trainer again: as a package, or as the one-file bundle."""
    bundle = getattr(sys.modules.get("__main__"), "DBTRAIN_BUNDLE", None)
    return [sys.executable, os.fspath(bundle)] if bundle else [sys.executable, "-m", "trainer_core"]


def as_safetensors(path: Path, stack: ExitStack) -> Path:
    """Return `path` itself if it is safetensors, else a copy of its tensors that lives as long as `stack`."""
    if path.suffix.lower() == ".safetensors":
        return path
    check_torch(path)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_COPIES)))
    target = folder / "weights.safetensors"
    try:
        child = subprocess.run(
            [*self_command(), EXTRACT_OPTION, os.fspath(path.absolute()), os.fspath(target)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=child_environment(),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(path, "reading it took longer than an hour") from error
    if child.returncode != 0 or not target.is_file():
        said = child.stderr.decode("utf-8", errors="replace").splitlines()
        reasons = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        if not reasons:
            ended = f"its reader ended with code {child.returncode}"
            raise _refused(path, f"{ended}: free some memory, or convert it on a larger machine (`dbtui convert`)")
        code = ExitCode.DISK if child.returncode == ExitCode.DISK else ExitCode.MODEL
        raise UserError([safe_text(reason, limit=1000) for reason in reasons], code)
    return target


def is_copy(path: Path) -> bool:
    """Tell whether `as_safetensors` made a file, which does not last."""
    return path.parent.name.startswith(_COPIES)


def child_environment() -> dict[str, str]:
    """Return the environment for the reader: without the switch that turns torch's restriction off."""
    return {name: value for name, value in os.environ.items() if name != "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}


def extract_ckpt(source: Path, target: Path) -> None:
    """Write the tensors of the pickled checkpoint `source` to the safetensors file `target`.

    Only `state_dict` (or the file's top level, if it has none) is kept. Raises a UserError: exit code 4 if the
    file is damaged or wants to run code, 6 if there is no room for the copy.
    """
    from safetensors.torch import save_file

    check_torch(source)
    state = _state_dict(source, _load_restricted(source))
    tensors = _tensors(state)
    if not tensors:
        raise _refused(source, "there are no weights in it")
    try:
        save_file(tensors, target)
    except Exception as error:
        raise UserError(
            f"{safe_text(target.parent)}: the checkpoint's copy cannot be written there: {safe_text(error)}; "
            "free some space, or set TMPDIR to a folder with room for it",
            ExitCode.DISK,
        ) from error


def _load_restricted(source: Path) -> Any:
    import torch

    with source.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    stand_ins: list[Any] = [(StandIn, name) for name in HARMLESS_GLOBALS]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        if culprit := FOREIGN.search(str(error)):
            problem = f"it holds more than weights, maybe hostile code ({safe_text(culprit.group(1), limit=80)})"
            raise _refused(
                source, f"{problem}, and is not opened; use another copy, best a .safetensors"
            ) from error
        problem = f"it is damaged, or no checkpoint ({_gist(error)})"
        raise _refused(source, f"{problem}; download it again") from error


def _gist(error: Exception) -> str:
    """Return the one line of torch's long message that says what is wrong."""
    advice = ("Weights only load failed", "Please file an issue", "Check the documentation")
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(advice)]
    return safe_text(lines[0] if lines else type(error).__name__, limit=120)


def _state_dict(source: Path, content: Any) -> Mapping[Any, Any]:
    for _ in range(3):  # some trainers nest it
        if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
            content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise _refused(source, "there are no weights in it")
    return content


def _tensors(state: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the plain tensors among the entries of `state`, as safetensors wants them."""
    import torch

    from trainer_core.models.write import separate

    plain = {name: value for name, value in state.items() if isinstance(name, str) and torch.is_tensor(value)}
    return separate({name: tensor for name, tensor in plain.items() if tensor.layout == torch.strided})


def _refused(path: Path, reason: str) -> UserError:
    return UserError(f"{safe_text(path)}: {reason}", ExitCode.MODEL)
