"""What a preset is worth: read, resolved, and judged for sharing."""

from dataclasses import dataclass
from typing import Any

from dbtui.presets.library import PresetFile
from trainer_core.config.reader import check_preset
from trainer_core.config.schema import Config
from trainer_core.config.toml_file import parse_toml
from trainer_core.errors import UserError
from trainer_core.text import safe_text


@dataclass(frozen=True, slots=True)
class Inspected:
    """A preset and everything that is wrong with it.

    Attributes:
        config: the complete configuration; None if there are problems.
    """

    preset: PresetFile
    config: Config | None
    problems: tuple[str, ...]

    @property
    def measured(self) -> str:
        """What finished runs measured, in words: "10.1 GB on RTX 3060"; "unverified" if nothing was."""
        if self.config is None or not self.config.preset.measured:
            return "unverified"
        last = self.config.preset.measured[-1]
        more = f" (+{len(self.config.preset.measured) - 1})" if len(self.config.preset.measured) > 1 else ""
        return f"{last.peak_vram_gb:g} GB, {last.it_per_s:g} it/s on {safe_text(last.gpu, limit=40)}{more}"

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` tells of it."""
        about = self.config.preset if self.config else None
        return {
            "name": self.preset.name,
            "origin": self.preset.origin,
            "path": self.preset.path,
            "title": about.title if about else None,
            "description": about.description if about else None,
            "author": about.author if about else None,
            "license": about.license if about else None,
            "min_vram_gb": about.min_vram_gb if about else None,
            "measured": [item.model_dump() for item in about.measured] if about else [],
            "problems": list(self.problems),
        }


def inspect(preset: PresetFile) -> Inspected:
    """Read a preset as if it were to be shared."""
    try:
        text = preset.text()
        config = check_preset(text, str(preset.path), find_preset=preset.find_preset)
    except UserError as error:
        return Inspected(preset, None, tuple(error.problems))
    if problem := _other_name(preset, text):
        return Inspected(preset, None, (problem,))
    return Inspected(preset, config, ())


def _other_name(preset: PresetFile, text: str) -> str | None:
    """Return the problem if the file says another name than the one by which it is found."""
    said = parse_toml(text, "").get("preset", {}).get("name", preset.name)
    if said == preset.name or preset.origin == "model":  # a model's is the preset that it was trained with
        return None
    return (
        f'{safe_text(preset.path)}: preset.name is "{said}", but the file is found as "{safe_text(preset.name)}";'
        " change one of them"
    )
