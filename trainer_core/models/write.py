"""Writing tensors to files, and reading them back to see that every one arrived."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

FILE_MODE = 0o644


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `tensors` to `path` and read them back. Raises OSError if what was read differs."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    save_file(separate(tensors), path, dict(metadata))
    path.chmod(FILE_MODE)
    with safe_open(path, framework="pt", device="cpu") as file:
        _compare_names(path, set(file.keys()), tensors)
        if file.metadata() != dict(metadata):
            raise OSError(f"the metadata of {path.name} was not written as meant")
        for name, tensor in tensors.items():
            _compare(path, name, file.get_tensor(name), tensor)


def write_ckpt(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a pickled checkpoint of `tensors` and read it back. Raises OSError if what was read differs."""
    torch.save({"state_dict": separate(tensors), "metadata": dict(metadata)}, path)
    path.chmod(FILE_MODE)
    found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    _compare_names(path, set(found), tensors)
    for name, tensor in tensors.items():
        _compare(path, name, found[name], tensor)


def separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors contiguous and each alone in its memory: files hold whole storages, once."""
    separated, seen = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        storage = tensor.untyped_storage()
        alone = tensor.is_contiguous() and storage.nbytes() == tensor.nbytes and storage.data_ptr() not in seen
        separated[name] = tensor if alone else tensor.clone(memory_format=torch.contiguous_format)
        seen.add(storage.data_ptr())
    return separated


def _compare_names(path: Path, found: set[str], meant: Mapping[str, Tensor]) -> None:
    if found != set(meant):
        missing = sorted(set(meant) ^ found)[0]
        raise OSError(f"the names in {path.name} are not those meant ({missing})")


def _compare(path: Path, name: str, found: Tensor, meant: Tensor) -> None:
    if found.dtype != meant.dtype or found.shape != meant.shape or not torch.equal(found, meant):
        raise OSError(f"{name} in {path.name} reads back otherwise than it was written")
