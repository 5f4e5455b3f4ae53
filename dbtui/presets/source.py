"""What a person names on a command line as settings: a run, a preset of the library, a file, or a model."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbtui.presets.library import SUFFIX, find, find_text, is_model, open_preset, shipped
from dbtui.presets.settings import read_settings
from dbtui.runs.find import choose_run
from trainer_core.config.chain import LONGEST_CHAIN
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.config.toml_file import parse_toml, read_text
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_file
from trainer_core.run.directory import RunDirectory, open_run
from trainer_core.run.names import is_run_name
from trainer_core.text import safe_text


@dataclass(frozen=True, slots=True)
class Source:
    """Settings that were named and read.

    Attributes:
        kind: "run", "preset", "file" or "model".
        name: the run's or preset's name, or the file or model as it was named; safe to show.
        text: what its file holds, or the model carries.
        config: its settings, complete.
        run: where it lies, if it is a run.
    """

    kind: str
    name: str
    text: str
    config: Config
    run: RunDirectory | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.kind} {self.name}"

    def ancestors(self) -> Iterator[str]:
        """Yield the names of the presets that it was made from, itself if it is one, the nearest first."""
        text = self.text
        if self.kind == "preset":
            yield self.name
        for _ in range(LONGEST_CHAIN):
            name = _made_from(text)
            preset = find(name) if name else None
            if preset is None:
                return
            yield preset.name
            try:
                text = preset.text()
            except UserError:
                return

    def shipped_preset(self) -> str | None:
        """Return the nearest preset that comes with dbtui and that it was made from."""
        names = {preset.name for preset in shipped()}
        return next((name for name in self.ancestors() if name in names), None)


def open_source(named: str, runs_dir: Path) -> Source:
    """Read the settings of a run (name or folder, as it was trained last), a preset (name), a file, or a model.

    Raises:
        UserError: there is nothing of that name, it cannot be read, or a run and a preset have the name.
    """
    if not named.strip():
        raise UserError("an empty name: give a run, a preset or a file", ExitCode.CONFIG)
    path = Path(named)
    if is_model(named):
        carried = open_preset(named)
        return Source("model", safe_text(named, 200), carried.text(), read_settings(carried))
    if named.endswith(SUFFIX):
        in_run = path.name == "run.toml" and is_file(path)
        return _of_run(open_run(path.parent)) if in_run else _of_file(path, "file", safe_text(named, 200))
    if "/" in named or os.sep in named or is_file(path / "run.toml"):
        return _of_run(choose_run(runs_dir, named))
    preset, is_run = find(named), is_run_name(named) and is_file(runs_dir / named / "run.toml")
    if preset and is_run:
        place = safe_text(runs_dir / named)
        text = f"{named} is a run and a preset: write {place} for the run, or the preset's file for the preset"
        raise UserError(text, ExitCode.CONFIG)
    if preset:
        return _of_file(preset.path, "preset", preset.name)
    if is_run:
        return _of_run(choose_run(runs_dir, named))
    raise UserError(_unknown(named, runs_dir), ExitCode.CONFIG)


def _of_run(run: RunDirectory) -> Source:
    return _of_file(run.configuration, "run", safe_text(run.name, 80), run)


def _of_file(path: Path, kind: str, name: str, run: RunDirectory | None = None) -> Source:
    text = read_text(path)
    config = parse_config(text, str(path), folder=path.absolute().parent, find_preset=find_text)
    return Source(kind, name, text, config, run)


def _made_from(text: str) -> str | None:
    """Return the preset that a file names as its own, or extends; None too where the file is broken."""
    try:
        tables = parse_toml(text, "")
    except UserError:
        return None
    about = tables.get("preset")
    name = tables.get("extends") or (about.get("name") if isinstance(about, dict) else None)
    return name if isinstance(name, str) else None


def _unknown(named: str, runs_dir: Path) -> str:
    return (
        f'"{safe_text(named, 80)}" is no preset (`dbtui preset list`) and no run in {safe_text(runs_dir)}'
        " (`dbtui runs`; --runs-dir names another folder); a file ends in .toml, a model in .safetensors"
    )
