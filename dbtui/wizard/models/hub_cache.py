"""The models that lie in the Hub's cache on this machine, found without its library and without a network."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from trainer_core.models.layout import WEIGHT_STEMS, component_files, is_diffusers_folder
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import from_home, is_folder

_FOLDER = re.compile(r"models--([^/]+?)--([^/]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"\w[\w.-]*")


def cache_folder() -> Path:
    """Return the folder of the Hub's cache, by the rules of its library; it need not exist."""
    said = os.environ
    home = said.get("HF_HOME") or os.path.join(said.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    named = said.get("HF_HUB_CACHE") or said.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return from_home(os.path.expandvars(named))


def snapshot_of(hub_id: str, revision: str = "main") -> Path | None:
    """Return the folder of a whole model in the cache; None if it, or a part of it, is not there."""
    folder = cache_folder() / f"models--{hub_id.replace('/', '--')}"
    commit = revision if _COMMIT.fullmatch(revision) else _commit(folder, revision)
    snapshot = folder / "snapshots" / commit
    is_whole = commit and is_diffusers_folder(snapshot)
    return snapshot if is_whole and all(component_files(snapshot / part, part) for part in WEIGHT_STEMS) else None


def cached_models() -> Iterator[str]:
    """Yield the Hub ids of the Diffusers models in the cache.

    Raises:
        OSError: the cache cannot be read.
    """
    if not is_folder(cache_folder()):
        return
    for folder in sorted(cache_folder().iterdir()):
        match = _FOLDER.fullmatch(folder.name)
        hub_id = f"{match[1]}/{match[2]}" if match else ""
        if is_hub_id(hub_id) and snapshot_of(hub_id):
            yield hub_id


def _commit(folder: Path, revision: str) -> str:
    """Return the commit that a branch or tag meant when it was fetched; "" if it was not."""
    if not _REVISION.fullmatch(revision):
        return ""
    try:
        commit = (folder / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return commit if _COMMIT.fullmatch(commit) else ""
