"""The start model of a training that is repeated from its result: given, or found by its hash.

Never the result itself, unless the person names it: trained twice, it would be another model.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbtui.generate.candidates import candidates
from trainer_core.config.reader import read_config
from trainer_core.errors import UserError
from trainer_core.generate.source import run_around
from trainer_core.models.carried import read_carried
from trainer_core.models.hashed import NAME, VAE, find_by_hash, has_hash, has_its_hash
from trainer_core.models.layout import is_diffusers_folder
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import exists, from_home, is_file, is_folder
from trainer_core.text import safe_text

Tell = Callable[[str], None]
_GIVE_IT = "give it with --model (a file, a Diffusers folder, a Hub id, or the folder that it lies in)"


@dataclass(frozen=True, slots=True)
class StartModel:
    """What a training can begin with: a path or a Hub id; or in words what is missing."""

    base: str | None
    missing: str = ""


def start_model_of(result: Path, given: str | None, runs_dir: Path, tell: Tell) -> StartModel:
    """Return the start model of the training that made `result`; `given` is what the person named, if anything.

    `tell` is called with what takes a while, how it was found, and what speaks against it.

    Raises:
        UserError: the result cannot be read.
    """
    metadata = dict(read_carried(result).metadata)
    if vae := metadata.get(VAE):
        tell(f'note: it was trained with the VAE "{safe_text(vae, 80)}"; to use it, set model.vae (--set)')
    if given is not None:
        return _given(result, from_home(given), given, metadata, tell)
    of_run = _base_of_its_run(result)
    places = [*map(from_home, filter(None, [of_run])), *map(Path, candidates(runs_dir))]
    if found := find_by_hash(metadata, places, tell, never=result):
        return _found(found, tell)
    if of_run and not has_hash(metadata) and (exists(from_home(of_run)) or is_hub_id(of_run)):
        return StartModel(of_run)
    return StartModel(None, f"no start model: {_was(result, metadata)}, which is not found here; {_GIVE_IT}")


def _given(result: Path, path: Path, given: str, metadata: dict[str, str], tell: Tell) -> StartModel:
    if is_folder(path) and not is_diffusers_folder(path):
        if found := find_by_hash(metadata, [path], tell, never=result):
            return _found(found, tell)
        words = f"no start model: none of the models in {safe_text(path)} is it; {_was(result, metadata)}"
        return StartModel(None, f"{words}: name the model itself with --model")
    if is_file(path) and has_hash(metadata) and not has_its_hash(path, metadata, tell):
        tell(f"note: {_was(result, metadata)}, and {safe_text(path.name, 80)} is another file: so is the result")
    return StartModel(given)


def _found(path: Path, tell: Tell) -> StartModel:
    tell(f"its start model was found by its hash: {safe_text(path)}")
    return StartModel(str(path))


def _was(result: Path, metadata: dict[str, str]) -> str:
    name = metadata.get(NAME)
    begun = f'"{safe_text(name, 80)}"' if name else "a model that it does not name"
    return f"{safe_text(result.name, 80)} was trained from {begun}"


def _base_of_its_run(result: Path) -> str | None:
    """Return the start model that its run names, where the result lies in a run's folder and that can be read."""
    with suppress(UserError, OSError):
        run = run_around(result)
        return read_config(run.configuration).model.base if run else None
    return None
