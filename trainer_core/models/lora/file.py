"""LoRA files: adapters read from one, and written to one that every program of the field reads."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.hashes import LEGACY_LENGTH, LEGACY_START
from trainer_core.models.lora.adapters import Adapter, Adapters
from trainer_core.models.lora.inspect import ALPHA, DOWN, UP
from trainer_core.models.lora.places import Place
from trainer_core.models.save import SavedModel, write_snapshot
from trainer_core.models.snapshot import PRECISIONS, Precision, Snapshot
from trainer_core.text import safe_text


def save_lora(
    adapters: Adapters, target_stem: Path, *, precision: Precision | None, metadata: Mapping[str, str]
) -> SavedModel:
    """Write `adapters` to `target_stem` plus `.safetensors`, with the hashes that other programs look for.

    Without `precision` they keep the type in which they are trained. Raises a UserError: exit code 6 with the
    file's name if it cannot be written or reads back otherwise, 7 if a number is not finite.
    """
    tensors: dict[str, Tensor] = {}
    for adapter in adapters.adapters:
        tensors |= adapter.tensors(PRECISIONS[precision] if precision else adapter.down.dtype)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(
                f"{name} holds values that are not finite; the training diverged, or save.precision is too "
                "narrow: use float",
                ExitCode.NON_FINITE,
            )
    facts = {**metadata, **_hashes(tensors, metadata)}
    return write_snapshot(Snapshot("safetensors", {"": tensors}, facts), target_stem)


def read_adapters(path: Path, shapes: Mapping[Place, tuple[int, ...]]) -> list[Adapter]:
    """Return the adapters at these places, float32, in the shapes that belong beside weights of these shapes.

    The header must have been checked. Raises a UserError (exit code 4) if a number in it is not finite.
    """
    from safetensors import safe_open

    adapters = []
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = set(file.keys())
            for place, (out, *inner) in shapes.items():
                # Copies: a tensor that is still mapped would change, or kill the process, with the file.
                down = file.get_tensor(place.key + DOWN).to(torch.float32, copy=True)
                up = file.get_tensor(place.key + UP).to(torch.float32, copy=True)
                rank = len(down)
                has_alpha = place.key + ALPHA in names
                alpha = float(file.get_tensor(place.key + ALPHA)) if has_alpha else float(rank)
                pair = down.reshape(rank, *inner), up.reshape(out, rank, *(1 for _ in inner[1:]))
                adapters.append(Adapter(place, *pair, alpha))
    except Exception as error:
        raise UserError(
            f"{safe_text(path)}: cannot be read: {safe_text(error)}; download or copy it again", ExitCode.MODEL
        ) from error
    for adapter in adapters:
        for ending, value in ((DOWN, adapter.down), (UP, adapter.up), (ALPHA, torch.tensor(adapter.alpha))):
            if not value.isfinite().all():
                raise UserError(
                    f"{safe_text(path)}: {adapter.place.key}{ending} holds values that are not finite; "
                    "take another file",
                    ExitCode.MODEL,
                )
    return adapters


def _hashes(tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes of a file that had the `ss_` metadata alone: they do not change with titles and dates."""
    from safetensors.torch import save

    content = save(tensors, {name: text for name, text in metadata.items() if name.startswith("ss_")})
    start = 8 + int.from_bytes(content[:8], "little")
    part = content[LEGACY_START : LEGACY_START + LEGACY_LENGTH]
    return {
        "sshs_model_hash": hashlib.sha256(memoryview(content)[start:]).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(part).hexdigest()[:8],
    }
