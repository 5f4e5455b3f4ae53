"""What a person points at: a whole model, a LoRA, a checkpoint of a run, or a run. No torch, nothing hashed."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trainer_core.config.reader import read_config
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.carried import header_of
from trainer_core.models.lora.inspect import DOWN
from trainer_core.models.sniff import sniff
from trainer_core.on_disk import from_home, is_file, is_folder
from trainer_core.run.checkpoint_format import STATE
from trainer_core.run.checkpoints import checkpoints, looks_whole, step_of
from trainer_core.run.directory import RunDirectory, open_run
from trainer_core.run.lock import is_alive
from trainer_core.text import safe_text
from trainer_core.train.naming import final_name, is_name_of

Kind = Literal["model", "lora", "checkpoint"]
WORDS: dict[Kind, str] = {"model": "a whole model", "lora": "a LoRA", "checkpoint": "a checkpoint of a run"}


@dataclass(frozen=True, slots=True)
class Source:
    """What the pictures are drawn with.

    Attributes:
        named: the file or folder, or the Hub id.
        title: its name for people and for the metadata of the pictures.
        run: the run that made it, where it lies in that run's folder.
        config: that run's configuration.
        metadata: what the file says of itself.
        step: the training's, of a checkpoint.
    """

    kind: Kind
    named: str
    title: str
    run: RunDirectory | None = None
    config: Config | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    step: int | None = None

    @property
    def path(self) -> Path:
        """The file or folder."""
        return from_home(self.named)

    @property
    def is_lora(self) -> bool:
        """Whether it acts beside a start model, without which nothing is drawn."""
        return self.kind == "lora" or bool(self.config and self.kind == "checkpoint" and _trains_lora(self.config))


def find_source(named: str) -> Source:
    """Return what `named` is.

    Raises:
        UserError: nothing usable lies there (code MODEL), or the run it belongs to cannot be read (code CONFIG).
    """
    path = from_home(named)
    if is_folder(path):
        if is_file(path / "run.toml"):
            return _of_run(open_run(path))
        if is_file(path / STATE):
            return _checkpoint(open_run(path.absolute().parent.parent), path.absolute())
    run = run_around(path)
    config = read_config(run.configuration) if run else None
    header = header_of(path)
    if header and any(name.endswith(DOWN) for name in header.tensors):
        return Source("lora", named, _title(path, run), run, config, header.metadata)
    info = sniff(named)
    title = named if info.is_hub_id else _title(path, run)
    return Source("model", named, title, run, config, header.metadata if header else {})


def _of_run(run: RunDirectory) -> Source:
    """Return the best that a run has: while it lives its newest state, else the model it ended with."""
    config = read_config(run.configuration)
    found = [*_states(run), *_models(run, config)]
    if not is_alive(run):
        found.sort(key=lambda path: _is_final(path, config), reverse=True)
    if not found:
        text = f"{safe_text(run.path)}: this run has no model and no checkpoint yet; ask for one with `dbtui save`"
        raise UserError(text, ExitCode.MODEL)
    best = found[0]
    return _checkpoint(run, best) if best.parent == run.checkpoints else find_source(str(best))


def _states(run: RunDirectory) -> Iterator[Path]:
    """Yield the whole checkpoints, newest first."""
    for path in reversed(checkpoints(run.checkpoints)):
        if looks_whole(path):
            yield path


def _models(run: RunDirectory, config: Config) -> list[Path]:
    """Return the models that the run saved, newest first."""
    folder = Path(config.save.output_dir) if config.save.output_dir else run.output
    found: list[tuple[float, Path]] = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix != ".yaml" and is_name_of(config.save.output_name, path.name):
                found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _is_final(path: Path, config: Config) -> bool:
    name = final_name(config.save.output_name)
    return path.name in {name, f"{name}.safetensors", f"{name}.ckpt"}


def _checkpoint(run: RunDirectory, path: Path) -> Source:
    config = read_config(run.configuration)
    return Source(
        "checkpoint", str(path), run.name, run, config, step=step_of(path) if path.name.isdecimal() else None
    )


def run_around(path: Path) -> RunDirectory | None:
    """Return the run in whose output/ a model lies."""
    above = path.absolute().parent.parent
    return RunDirectory(above) if is_file(above / "run.toml") and path.absolute().parent.name == "output" else None


def _title(path: Path, run: RunDirectory | None) -> str:
    """Return the name of a model file or folder; one that is only called `last` has its run's."""
    name = path.absolute().name if is_folder(path) else path.stem
    return run.name if run and name == final_name(None) else name


def _trains_lora(config: Config) -> bool:
    return config.method.train == "lora"
