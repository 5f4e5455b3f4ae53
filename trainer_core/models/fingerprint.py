"""What tells one start model from another without reading all of it; no torch.

A header and a size do not: fine-tunes of one model share both. So pieces spread over the whole file are hashed
too, about one megabyte of it, which takes a moment on any disk.
"""

import hashlib
from pathlib import Path

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.models.layout import component_files, read_folder
from trainer_core.models.sniff import ModelInfo, is_hub_id
from trainer_core.models.tokenizer_files import tokenizer_at_hand
from trainer_core.on_disk import from_home, is_folder

_START_BYTES = 64 * 1024
_PIECES, _PIECE_BYTES = 256, 4096


def fingerprint(settings: ModelSettings, info: ModelInfo) -> str:
    """Return a hash of what the pictures of a model depend on: its weights, its VAE and how they are used.

    A model of the Hub stands for itself by name and revision, since it may not be fetched yet.

    Raises:
        OSError: a file of it cannot be read.
    """
    parts = [f"{info.family} {info.prediction} {settings.clip_skip}"]
    if info.path is None:
        parts.append(f"hub {info.base} {settings.revision}")
    elif info.format == "diffusers":
        weights = read_folder(info.path).weights
        parts += [f"{name} {_file_mark(file)}" for name, files in sorted(weights.items()) for file in files]
    else:
        parts.append(_file_mark(info.path))
    if settings.vae is not None:
        parts.append(f"vae {_vae_mark(settings.vae)}")
    if settings.tokenizer is not None:
        parts.append(f"tokenizer {_tokenizer_mark(settings.tokenizer)}")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _vae_mark(vae: str) -> str:
    path = from_home(vae)
    if is_folder(path):
        files = component_files(path / "vae", "vae") or component_files(path, "vae")
        return " ".join(_file_mark(file) for file in files)
    return _file_mark(path) if path.exists() else vae


def _tokenizer_mark(tokenizer: str) -> str:
    if is_hub_id(tokenizer):
        return tokenizer
    words = tokenizer_at_hand(tokenizer).words
    return hashlib.sha256(repr((words.ids, words.merges)).encode()).hexdigest()


def _file_mark(path: Path) -> str:
    """Hash the size, the start (with the header, or most of it) and pieces at even distances."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_START_BYTES))
        for number in range(1, _PIECES + 1):
            file.seek(max(0, size * number // _PIECES - _PIECE_BYTES))
            digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()
