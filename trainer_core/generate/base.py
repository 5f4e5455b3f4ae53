"""The start model of a LoRA, or to compare a trained model with: given, named by the run, or found by its hash."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.request import Request
from trainer_core.generate.source import Source
from trainer_core.models.hashed import NAME, find_by_hash, has_hash, has_its_hash
from trainer_core.models.layout import is_diffusers_folder
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import exists, from_home, is_file, is_folder
from trainer_core.text import safe_text


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
    if found := find_by_hash(source.metadata, map(Path, request.candidates), progress, never=source.path):
        return Base(_named(source, str(found)), f"its start model was found by its hash: {safe_text(found)}")
    raise UserError(_unknown(source), ExitCode.MODEL)


def _given(source: Source, given: str, progress: Callable[[str], None]) -> Base:
    path = from_home(given)
    if is_folder(path) and not is_diffusers_folder(path):
        found = find_by_hash(source.metadata, [path], progress, never=source.path)
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
    if not is_file(path) or not has_hash(source.metadata) or has_its_hash(path, source.metadata, progress):
        return ""
    was, given = source.metadata.get(NAME, "another file"), path.name
    return (
        f"trained on {safe_text(was, 80)}, whose hash {safe_text(given, 80)} does not have: it may look different"
    )


def _unknown(source: Source) -> str:
    """Say what is missing: the name, where the file or its run tells it, and how to give it."""
    was = source.config.model.base if source.config else source.metadata.get(NAME)
    what = "a LoRA draws beside its start model" if source.is_lora else "the start model is needed to compare with"
    told = f", which was {safe_text(was, 200)} and is not there now" if source.config and was else ""
    told = told or (f", which was called {safe_text(was, 80)}" if was else "")
    return f"{safe_text(source.named)}: {what}{told}: name it with --base (a model, or the folder that it lies in)"
