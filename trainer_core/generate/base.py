"""The start model of a LoRA, or to compare a trained model with: given, named by the run, or found by its hash."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.request import Request
from trainer_core.generate.source import Source
from trainer_core.models.hashes import LEGACY_LENGTH, LEGACY_START, legacy_hash, whole_hash
from trainer_core.models.layout import is_diffusers_folder
from trainer_core.models.sniff import CKPT_SUFFIXES, is_hub_id
from trainer_core.on_disk import exists, from_home, is_file, is_folder
from trainer_core.text import safe_text

WHOLE, LEGACY, NAME = "ss_new_sd_model_hash", "ss_sd_model_hash", "ss_sd_model_name"
_SUFFIXES = {".safetensors", *CKPT_SUFFIXES}


@dataclass(frozen=True, slots=True)
class Base:
    """A start model.

    Attributes:
        note: how it was found, or what speaks against it; empty where there is nothing to say.
    """

    settings: ModelSettings
    note: str = ""


def find_base(source: Source, request: Request, progress: Callable[[str], None]) -> Base:
    """Return the start model of `source`.

    Raises:
        UserError: it is not known, or not where it was (code MODEL).
    """
    if request.base is not None:
        return _given(source, request.base, progress)
    of_run = source.config.model if source.config else None
    if of_run and of_run.base is not None and (exists(from_home(of_run.base)) or is_hub_id(of_run.base)):
        return Base(of_run)
    candidates = list(_model_files(map(Path, request.candidates)))
    if found := _by_hash(source.metadata, candidates, progress):
        return Base(_named(source, str(found)), f"its start model was found by its hash: {safe_text(found)}")
    raise UserError(_unknown(source), ExitCode.MODEL)


def _given(source: Source, given: str, progress: Callable[[str], None]) -> Base:
    path = from_home(given)
    if is_folder(path) and not is_diffusers_folder(path):
        found = _by_hash(source.metadata, list(_model_files([path])), progress)
        if found is None:
            raise UserError(
                f"{safe_text(path)}: none of the models in this folder is it. {_unknown(source)}", ExitCode.MODEL
            )
        return Base(_named(source, str(found)), f"its start model was found by its hash: {safe_text(found)}")
    return Base(_named(source, given), _doubt(source, path, progress) if source.is_lora else "")


def _named(source: Source, base: str) -> ModelSettings:
    """Return the settings of the run with this start model, or what holds without a run."""
    if source.config is None:
        return ModelSettings(base=base)
    return source.config.model.model_copy(update={"base": base, "family": "auto", "prediction": "auto"})


def _doubt(source: Source, path: Path, progress: Callable[[str], None]) -> str:
    """Say so where a LoRA was trained on another file than the one given."""
    if not is_file(path) or not (WHOLE in source.metadata or LEGACY in source.metadata):
        return ""
    if _is_it(path, source.metadata, progress):
        return ""
    was, given = source.metadata.get(NAME, "another file"), path.name
    return (
        f"trained on {safe_text(was, 80)}, whose hash {safe_text(given, 80)} does not have: it may look different"
    )


def _by_hash(metadata: dict[str, str], candidates: list[Path], progress: Callable[[str], None]) -> Path | None:
    """Return the candidate that the metadata names by its hash; those of the right name are looked at first."""
    if WHOLE not in metadata and LEGACY not in metadata:
        return None
    candidates.sort(key=lambda path: path.name != metadata.get(NAME))
    return next((path for path in candidates if _is_it(path, metadata, progress)), None)


def _is_it(path: Path, metadata: dict[str, str], progress: Callable[[str], None]) -> bool:
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


def _unknown(source: Source) -> str:
    """Say what is missing: the name, where the file or its run tells it, and how to give it."""
    was = source.config.model.base if source.config else source.metadata.get(NAME)
    what = "a LoRA draws beside its start model" if source.is_lora else "the start model is needed to compare with"
    told = f", which was {safe_text(was, 200)} and is not there now" if source.config and was else ""
    told = told or (f", which was called {safe_text(was, 80)}" if was else "")
    return f"{safe_text(source.named)}: {what}{told}: name it with --base (a model, or the folder that it lies in)"
