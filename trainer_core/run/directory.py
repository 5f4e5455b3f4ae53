"""The run directory: where everything of one run lies, and how a new one comes to be."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_absent, is_file, is_folder, why_not_there
from trainer_core.run.atomic import write_text
from trainer_core.run.names import check_run_name, next_free_name
from trainer_core.text import safe_text

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run. Nothing is created by naming them; `path` is absolute."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.path.name

    @property
    def run_toml(self) -> Path:
        """The complete configuration; written once, before anything else."""
        return self.path / "run.toml"

    @property
    def configuration(self) -> Path:
        """The configuration as it is now: the newest run.N.toml that a resume wrote, or run.toml."""
        return max(self._later(), key=_number_of, default=self.run_toml)

    @property
    def next_configuration(self) -> Path:
        """The run.N.toml that a resume with other settings writes."""
        number = max(map(_number_of, self._later()), default=1) + 1
        return self.path / f"run.{number}.toml"

    def _later(self) -> list[Path]:
        return [path for path in self.path.glob("run.*.toml") if _number_of(path)]

    @property
    def process_json(self) -> Path:
        """Which process trains, or trained, this run."""
        return self.path / "process.json"

    @property
    def lock(self) -> Path:
        """Held by the trainer as long as it lives."""
        return self.path / "run.lock"

    @property
    def events(self) -> Path:
        """What happened, one JSON object per line; the trainer alone writes it."""
        return self.path / "events.jsonl"

    @property
    def control(self) -> Path:
        """Commands to the trainer, one JSON object per line."""
        return self.path / "control.jsonl"

    @property
    def console_log(self) -> Path:
        """The trainer's stdout and stderr."""
        return self.path / "console.log"

    @property
    def samples(self) -> Path:
        """Folder of the previews."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """Folder of complete states, for a resume."""
        return self.path / "checkpoints"

    @property
    def output(self) -> Path:
        """Folder of the trained models."""
        return self.path / "output"

    @property
    def report(self) -> Path:
        """One self-contained page about the run."""
        return self.path / "report.html"


def _number_of(path: Path) -> int:
    """Return the N of run.N.toml; 0 for any other name."""
    number = path.name.removeprefix("run.").removesuffix(".toml")
    return int(number) if number.isascii() and number.isdecimal() else 0


def open_run(path: Path) -> RunDirectory:
    """Return the run at `path`, or raise UserError(CONFIG) if no run lies there."""
    run = RunDirectory(path.absolute())
    if not is_file(run.run_toml):
        why = "it holds no run.toml" if is_absent(run.run_toml) else f"its run.toml {why_not_there(run.run_toml)}"
        raise UserError(f"{safe_text(path)} is not a run: {why}", ExitCode.CONFIG)
    return run


def create_run(runs_dir: Path, name: str, run_toml: str) -> RunDirectory:
    """Create `runs_dir`/`name` (mode 0700) with `run_toml` in it, whole or not at all.

    Raises UserError with CONFIG if the name is taken or not allowed, with DISK if the place cannot be written.
    """
    run = RunDirectory(runs_dir.absolute() / check_run_name(name))
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        run.path.mkdir(mode=0o700)
    except FileExistsError:
        raise _taken(run, runs_dir) from None
    except OSError as error:
        raise UserError(_unwritable(runs_dir, error), ExitCode.DISK) from error
    try:
        write_text(run.run_toml, run_toml)
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise UserError(_unwritable(runs_dir, error), ExitCode.DISK) from error
    return run


def create_numbered_run(runs_dir: Path, stem: str, run_toml: str) -> RunDirectory:
    """Create the next free `<stem>-N`, also while others create theirs. Raises as `create_run` does."""
    while True:
        name = next_free_name(runs_dir, stem)
        try:
            return create_run(runs_dir, name, run_toml)
        except UserError as error:
            if error.code is not ExitCode.CONFIG or next_free_name(runs_dir, stem) == name:
                raise


def shared_cache(runs_dir: Path) -> Path:
    """Return the folder of latents, text embeddings and class images, which all runs of `runs_dir` share."""
    return runs_dir.absolute() / ".cache"


def _taken(run: RunDirectory, runs_dir: Path) -> UserError:
    if not is_absent(runs_dir) and not is_folder(runs_dir):
        text = f"{safe_text(runs_dir)} is not a folder, so no run can be made in it: name another with --runs-dir"
        return UserError(text, ExitCode.DISK)
    text = (
        f"there is a run named {run.name} in {safe_text(runs_dir)} already: "
        "choose another --name, or leave it out to get the next number"
    )
    return UserError(text, ExitCode.CONFIG)


def _unwritable(runs_dir: Path, error: OSError) -> str:
    place, reason = safe_text(runs_dir), safe_text(os.strerror(error.errno) if error.errno else error)
    if error.errno in _NO_SPACE:
        return f"{place} is full ({reason}): free some space, or name another folder with --runs-dir"
    return f"no run can be made in {place} ({reason}): name a folder that you can write to with --runs-dir"
