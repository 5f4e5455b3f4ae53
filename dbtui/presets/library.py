"""The preset library: the files that come with dbtui and the person's own."""

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbtui.natural import natural
from trainer_core.config.chain import PRESET_NAME, FindPreset
from trainer_core.config.toml_file import read_text
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.carried import is_model_name, read_carried
from trainer_core.on_disk import from_home, is_absent, is_folder, why_closed
from trainer_core.text import safe_text

SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class PresetFile:
    """A preset that has been found.

    Attributes:
        name: by which `extends` and the commands find it: the file's name without `.toml`.
        origin: "shipped" with dbtui, "yours" from the user's folder, "file" if it was named by its path, or
            "model" if a model carries it.
    """

    name: str
    path: Path
    origin: Literal["shipped", "yours", "file", "model"]

    def text(self) -> str:
        """Return what the file holds, or of a model what it carries.

        Raises:
            UserError: it cannot be read.
        """
        return read_carried(self.path).text if self.origin == "model" else read_text(self.path)

    @property
    def find_preset(self) -> FindPreset | None:
        """What finds the presets that it extends; None for a model's, which extends none."""
        return None if self.origin == "model" else find_text


def shipped_folder() -> Path:
    """Return the folder of the presets that come with dbtui: inside the wheel, or at the root of a checkout."""
    package = Path(__file__).resolve().parent
    in_wheel = package / "shipped"
    return in_wheel if in_wheel.is_dir() else package.parents[1] / "presets"


def user_folder() -> Path:
    """Return the folder of the person's own presets; it need not exist. DBTUI_CONFIG_DIR moves its parent."""
    if configured := os.environ.get("DBTUI_CONFIG_DIR"):
        return Path(configured) / "presets"
    from platformdirs import user_config_path

    return user_config_path("dbtui") / "presets"


def shipped() -> list[PresetFile]:
    """Return the shipped presets, smallest card first."""
    return sorted(_presets_in(shipped_folder(), "shipped"), key=lambda preset: natural(preset.name))


def yours() -> tuple[list[PresetFile], list[str]]:
    """Return the person's own presets, and a remark for each file that is left out.

    A name that dbtui ships always means the shipped preset, so that a preset which extends it means the same
    everywhere: a file of the same name is left out, and said.
    """
    taken = {preset.name for preset in shipped()}
    folder = user_folder()
    used, remarks = [], []
    if not is_absent(folder) and (closed := why_closed(folder)):
        remarks.append(f"{safe_text(folder)}: your own presets are left out: the folder {closed}")
    for preset in sorted(_presets_in(folder, "yours"), key=lambda preset: natural(preset.name)):
        shown = safe_text(preset.path)
        if preset.name in taken:
            remarks.append(f"{shown} is left out: dbtui ships a preset of that name; rename the file")
        elif not PRESET_NAME.fullmatch(preset.name):
            remarks.append(f"{shown} is left out: a preset's name is 1 to 64 letters, digits, dots, _ or -")
        elif not Path(os.path.realpath(preset.path)).is_relative_to(os.path.realpath(folder)):
            remarks.append(f"{shown} is left out: it is a link out of the folder; copy the file instead")
        else:
            used.append(preset)
    return used, remarks


def find(name: str) -> PresetFile | None:
    """Return the preset of that name, shipped or the person's own."""
    return next((preset for preset in (*shipped(), *yours()[0]) if preset.name == name), None)


def find_text(name: str) -> str | None:
    """Return the text of the preset of that name, for `extends`.

    Raises:
        UserError: there is none, with the nearest name, or it cannot be read.
    """
    if preset := find(name):
        return preset.text()
    raise UserError(_unknown(name), ExitCode.CONFIG)


def open_preset(name_or_file: str) -> PresetFile:
    """Return the preset that a command names: a file or a model if it looks like one, else a name of the library.

    Raises:
        UserError: there is none of that name.
    """
    if is_model(name_or_file):
        path = from_home(name_or_file)
        return PresetFile(path.absolute().name, path, "model")
    if name_or_file.endswith(SUFFIX) or "/" in name_or_file or os.sep in name_or_file:
        path = Path(name_or_file)
        return PresetFile(path.name.removesuffix(SUFFIX), path, "file")
    if preset := find(name_or_file):
        return preset
    raise UserError(_unknown(name_or_file), ExitCode.CONFIG)


def is_model(name_or_file: str) -> bool:
    """Tell whether a model is named, and no preset of the library: a folder may be called as one of those is."""
    return is_model_name(name_or_file) and find(name_or_file) is None


def _presets_in(folder: Path, origin: Literal["shipped", "yours"]) -> Iterator[PresetFile]:
    if is_folder(folder):
        for path in folder.glob(f"*{SUFFIX}"):
            yield PresetFile(path.name.removesuffix(SUFFIX), path, origin)


def _unknown(name: str) -> str:
    names = [preset.name for preset in (*shipped(), *yours()[0])]
    near = difflib.get_close_matches(name[:64], names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f'"{safe_text(name, limit=80)}" is not a preset ({hint}`dbtui preset list` shows them all)'
