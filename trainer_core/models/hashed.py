"""Finds the model that something was trained from by the hashes in its metadata, whatever it is called now.

No torch; a file is read whole only where the short hash, of 64 KiB, is the right one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from trainer_core.models.hashes import LEGACY_LENGTH, LEGACY_START, legacy_hash, whole_hash
from trainer_core.models.sniff import CKPT_SUFFIXES
from trainer_core.on_disk import is_file, is_folder
from trainer_core.text import safe_text

WHOLE, LEGACY, NAME = "ss_new_sd_model_hash", "ss_sd_model_hash", "ss_sd_model_name"
VAE = "ss_vae_name"
_SUFFIXES = {".safetensors", *CKPT_SUFFIXES}


def has_hash(metadata: Mapping[str, str]) -> bool:
    """Tell whether the metadata names a model by a hash."""
    return WHOLE in metadata or LEGACY in metadata


def find_by_hash(
    metadata: Mapping[str, str],
    places: Iterable[Path],
    progress: Callable[[str], None],
    *,
    never: Path | None = None,
) -> Path | None:
    """Return the file, among those given and those in the folders given, that the metadata names by its hash.

    Those of the right name are looked at first, and the file `never` not at all.
    """
    if not has_hash(metadata):
        return None
    files = [path for path in _model_files(places) if never is None or not _is_same(path, never)]
    files.sort(key=lambda path: path.name != metadata.get(NAME))
    return next((path for path in files if has_its_hash(path, metadata, progress)), None)


def has_its_hash(path: Path, metadata: Mapping[str, str], progress: Callable[[str], None]) -> bool:
    """Compare the hashes; the short one, of 64 KiB, spares reading gigabytes of the wrong file."""
    with suppress(OSError):
        has_short = path.stat().st_size >= LEGACY_START + LEGACY_LENGTH
        if LEGACY in metadata and legacy_hash(path) != metadata[LEGACY]:
            return False
        if WHOLE in metadata:
            progress(f"comparing the hash of {safe_text(path.name, 80)}")
            return whole_hash(path) == metadata[WHOLE]
        return LEGACY in metadata and has_short
    return False


def _model_files(places: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that may be models: those given, and those in the folders given."""
    for place in places:
        if is_folder(place):
            with suppress(OSError):
                yield from sorted(path for path in place.iterdir() if _may_be_a_model(path))
        elif _may_be_a_model(place):
            yield place


def _may_be_a_model(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and is_file(path)


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False
