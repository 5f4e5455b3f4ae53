"""The preset that a model carries in its metadata, which anyone may have written: found here, and only found.

Whoever uses it reads it as a stranger's preset (`config.reader.check_preset`). No torch.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.reader import check_preset
from trainer_core.config.toml_file import LARGEST_FILE
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.hashed import LEGACY, NAME, VAE, WHOLE
from trainer_core.models.header import Header, read_header
from trainer_core.models.layout import component_files, is_diffusers_folder
from trainer_core.models.sniff import CKPT_SUFFIXES
from trainer_core.on_disk import exists, is_file, is_folder, is_utf8, why_not_there
from trainer_core.text import safe_text

PRESET = "dbtui.preset"
"""The name of the preset in the metadata of what dbtui trained."""
_LONGEST = 255
"""Characters of a file's name or a hash."""
_NO_SETTINGS = (
    "carries no settings (dbtui did not train it, an earlier version did, or another program wrote it): name a"
    " preset or a run file; a start model goes behind --model"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a model tells of its training.

    Attributes:
        text: the preset, as it stands there.
        metadata: everything that its header says of it.
    """

    text: str
    metadata: Mapping[str, str]


def is_model_name(named: str) -> bool:
    """Tell whether `named` is meant as a model here: a name that only models have, or a Diffusers folder."""
    path = Path(named)
    return path.suffix.lower() in {".safetensors", *CKPT_SUFFIXES} or is_diffusers_folder(path)


def carries_preset(path: Path) -> bool:
    """Tell whether the model at `path` carries settings, whatever they are worth; nothing is raised."""
    with suppress(UserError, OSError):
        return PRESET in read_carried(path).metadata
    return False


def read_carried(path: Path) -> Carried:
    """Return what the model at `path` tells of its training: a whole model or a LoRA.

    Raises:
        UserError: it cannot be read (code MODEL), or carries no preset that one could be (code CONFIG).
    """
    header = header_of(path)
    if header is None:
        raise _error(path, _why_no_header(path), ExitCode.MODEL)
    text = header.metadata.get(PRESET)
    if text is None:
        raise _error(path, _NO_SETTINGS, ExitCode.CONFIG)
    if len(text) > LARGEST_FILE:
        why = f"its settings are larger than {LARGEST_FILE // 1024} KB, which none that dbtui wrote are"
        raise _error(path, f"{why}; do not use them", ExitCode.CONFIG)
    if not is_utf8(text):
        raise _error(path, "its settings are not UTF-8 text; do not use them", ExitCode.CONFIG)
    return Carried(text, header.metadata)


def kept_facts(path: Path) -> dict[str, str]:
    """Return what a copy of the model in another form keeps of its metadata: its preset, and its start model.

    Nothing where it carries none, or one that should not be given on.
    """
    try:
        carried = read_carried(path)
        check_preset(carried.text, "")
    except UserError:
        return {}
    kept = {name: carried.metadata.get(name, "") for name in (PRESET, NAME, LEGACY, WHOLE, VAE)}
    return {name: text for name, text in kept.items() if text and (name == PRESET or len(text) <= _LONGEST)}


def header_of(path: Path) -> Header | None:
    """Return the header of a safetensors file, or of the U-Net of a Diffusers folder; None where it is neither.

    Raises:
        UserError: it is damaged (code MODEL).
    """
    files = component_files(path / "unet", "unet") if is_folder(path) else [path] if is_file(path) else []
    for file in files:
        if file.suffix.lower() == ".safetensors":
            return read_header(file)
    return None


def _why_no_header(path: Path) -> str:
    if not exists(path):
        return why_not_there(path)
    if path.suffix.lower() in CKPT_SUFFIXES:
        return (
            "is a pickle, of which only weights are read; take the settings from the run that made it"
            " (`dbtui preset new NAME --from RUN`)"
        )
    return "is no .safetensors file and no Diffusers folder with one, which alone carry settings"


def _error(path: Path, problem: str, code: ExitCode) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", code)
