"""Latents, encoded once: every picture goes through the VAE one time and the result is kept.

Mean and standard deviation of the VAE's posterior are kept, not a sample, so that each step still samples.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainer_core.data.ahead import map_ahead
from trainer_core.data.augment import MIRRORED, STILL, is_mirrored
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item, Picture
from trainer_core.data.order import Draw
from trainer_core.data.pixels import load_pixels
from trainer_core.data.share import WHOLE, Share
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import staged
from trainer_core.text import safe_text

Progress = Callable[[int, int], None]
Latents = tuple[Tensor, Tensor]
"""Mean and standard deviation, each [4, h, w] float32 on the CPU."""

_FORMAT = "latents-1"
_HASHES: WeakKeyDictionary[Any, tuple[list[int], str]] = WeakKeyDictionary()
"""Of each VAE the versions of its weights, and their hash."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as the training sees it: resized and cropped by `fit`, mirrored left to right with `flip`."""

    picture: Picture
    fit: Fit
    flip: bool = False

    def pixels(self) -> Tensor:
        """Load it, [3, H, W] float32 in -1..1; errors as `load_pixels`."""
        return load_pixels(self.picture.path, self.fit, MIRRORED if self.flip else STILL)


def frames_of(items: Sequence[Item], fits: Sequence[Fit], *, flip: bool) -> list[Frame]:
    """List the frame of each item; with `flip`, all of them again, mirrored, behind these."""
    frames = [Frame(item.picture, fit) for item, fit in zip(items, fits, strict=True)]
    return frames + [replace(frame, flip=True) for frame in frames] if flip else frames


class LatentStore(Protocol):
    """Where latents come from, by the index of their frame."""

    def fetch(self, index: int) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each [4, h, w] float32 on the CPU."""


class LatentsInMemory:
    """Latents kept in RAM."""

    def __init__(self) -> None:
        self.latents: dict[int, tuple[Tensor, Tensor]] = {}

    def add(self, index: int, mean: Tensor, std: Tensor) -> None:
        """Keep the latents of frame `index`."""
        self.latents[index] = mean, std

    def fetch(self, index: int) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of frame `index`."""
        return self.latents[index]

    def stacked(self, index: int) -> Tensor:
        """Return mean and standard deviation of frame `index` as one tensor, [2, 4, h, w]."""
        return torch.stack(self.latents[index])

    def add_stacked(self, index: int, both: Tensor) -> None:
        """Keep what `stacked` returned elsewhere."""
        self.add(index, both[0], both[1])


class LatentsOnDisk:
    """Latents in one small safetensors file each, named by what they depend on."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self.folder = folder
        self.keys = keys

    def path(self, index: int) -> Path:
        """Return the file of frame `index`."""
        key = self.keys[index]
        return self.folder / key[:2] / f"{key}.safetensors"

    def has(self, index: int) -> bool:
        """Tell whether a readable file of frame `index` exists."""
        try:
            self._read(index)
        except (OSError, SafetensorError, KeyError):
            return False
        return True

    def missing(self) -> list[int]:
        """List one frame for each file that does not exist: copies of a picture share theirs."""
        first = {key: index for index, key in reversed(list(enumerate(self.keys)))}
        return sorted(index for index in first.values() if not self.has(index))

    def add(self, index: int, mean: Tensor, std: Tensor) -> None:
        """Write the latents of frame `index`, whole or not at all."""
        path = self.path(index)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with staged(path) as staging:
                save_file({"mean": mean, "std": std}, staging)
        except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
            text = f"{safe_text(path)} cannot be written ({safe_text(error)}): free some space, or set "
            raise UserError(text + 'dataset.cache_latents = "ram".', ExitCode.DISK) from error

    def fetch(self, index: int) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of frame `index`.

        Raises:
            UserError: the file is gone or damaged (code DISK).
        """
        try:
            return self._read(index)
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(
                f"{safe_text(self.path(index))} can no longer be read ({safe_text(error)}): a resume encodes the "
                "picture again.",
                ExitCode.DISK,
            ) from error

    def _read(self, index: int) -> tuple[Tensor, Tensor]:
        tensors = load_file(self.path(index))
        return tensors["mean"], tensors["std"]


def fetch_latents(store: LatentStore, count: int, *, flip: bool) -> Callable[[Draw], tuple[Tensor, Tensor]]:
    """Return what gives the latents of each sample from the frames of `frames_of`, made of `count` items."""
    if not flip:
        return lambda draw: store.fetch(draw.item)
    return lambda draw: store.fetch(draw.item + count * is_mirrored(draw.seed))


def to_encode(store: LatentsInMemory | LatentsOnDisk, count: int) -> list[int]:
    """List which of `count` frames `store` does not have yet."""
    if isinstance(store, LatentsOnDisk):
        return store.missing()
    return [index for index in range(count) if index not in store.latents]


def fill(
    store: LatentsInMemory | LatentsOnDisk,
    frames: Sequence[Frame],
    vae: Any,
    device: torch.device,
    *,
    workers: int,
    progress: Progress,
    should_stop: Callable[[], bool],
    missing: Sequence[int] | None = None,
    share: Share = WHOLE,
) -> None:
    """Encode the `missing` frames: all that `store` does not have yet if not given.

    Each process of a run takes every n-th of them. Pictures are decoded by `workers` threads ahead of time; what
    the others do is taken to advance equally.

    The VAE runs in float32 on one picture at a time, so that a result depends on its picture only.
    """
    missing = to_encode(store, len(frames)) if missing is None else missing
    done = len(frames) - len(missing)
    progress(done, len(frames))
    own = missing[share.rank :: share.processes]
    for index, pixels in map_ahead(lambda i: frames[i].pixels(), own, workers):
        if should_stop():
            return
        mean, std = encode(vae, pixels.unsqueeze(0).to(device))
        store.add(index, mean[0].cpu(), std[0].cpu())
        done = min(done + share.processes, len(frames))
        progress(done, len(frames))


@torch.no_grad()
def encode(vae: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the VAE's posterior, unscaled.

    Args:
        vae: a diffusers AutoencoderKL in float32.
        pixels: pictures [B, 3, H, W] in -1..1.
    """
    posterior = vae.encode(pixels.float()).latent_dist
    return posterior.mean, posterior.std


def frame_keys(frames: Sequence[Frame], vae: Any, digests: Mapping[Path, str]) -> list[str]:
    """Return a key for each frame: a hash of its file's (`digests`), of fit and flip, and of the VAE's weights."""
    weights = _weights_hash(vae)
    return [
        _hash(_FORMAT, weights, digests[frame.picture.path], f"{frame.fit}", *(["flip"] if frame.flip else []))
        for frame in frames
    ]


def _weights_hash(vae: Any) -> str:
    """Hash a VAE's weights; once, as long as none of them changes."""
    weights: dict[str, Tensor] = vae.state_dict()
    versions = [tensor._version for tensor in weights.values()]
    known, found = _HASHES.get(vae, ([], ""))
    if known != versions:
        found = _hash_of(weights)
        _HASHES[vae] = versions, found
    return found


def _hash_of(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
