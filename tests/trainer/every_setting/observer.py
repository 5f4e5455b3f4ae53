"""Makes runs of the trainer on tiny things, whole or up to its loop, and remembers what was seen of them."""

import json
import pickle
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import tomlkit
import torch

from trainer_core.config.reader import read_config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode
from trainer_core.models.load import load_model
from trainer_core.run.directory import create_run
from trainer_core.run.events import EventReader, EventWriter
from trainer_core.train import make_ready
from trainer_core.train import run as trainer
from trainer_core.train.world import ALONE

NO_SIGNALS: Any = SimpleNamespace(stop_requested=None, interrupting=nullcontext)
"""In the place of StopSignals, of which a process has one."""
PARTS = ("unet", "text_encoder", "vae")
Tables = dict[str, Any]
Look = Callable[["Observer", Tables], Any]


class Enough(BaseException):  # the trainer answers every Exception
    """Everything was seen; the run need not go on."""


class RunFailedError(Exception):
    """The run ended with a message, this one."""


@dataclass(frozen=True)
class Ran:
    """A run: the folder that holds everything it wrote, and its events."""

    folder: Path
    events: list[dict[str, Any]]


@dataclass
class Observer:
    """Observes runs; the same run is made once only.

    Attributes:
        folder: where the runs are made.
        places: what `<name>` stands for in the settings of a run; `<fresh>` is a new folder of each run.
        on_load: called with every model that a run has loaded, before it is used.
    """

    folder: Path
    places: dict[str, str]
    on_load: list[Callable[[Any], None]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    models: dict[str, tuple[Any, bytes]] = field(default_factory=dict)
    runs: int = 0

    def see(self, look: Look, tables: Tables) -> Any:
        """Return what `look` sees of the run that `tables` describe."""
        key = look.__name__ + json.dumps(tables, sort_keys=True)
        if key not in self.seen:
            self.seen[key] = look(self, tables)
        return self.seen[key]

    def write(self, tables: Tables) -> Path:
        """Write a run file into a new folder of its own; the placeholders become paths."""
        self.runs += 1
        path = self.folder / f"{self.runs:03d}" / "file.toml"
        path.parent.mkdir()
        text = tomlkit.dumps({"schema": 1, **tables})
        for name, place in {**self.places, "fresh": str(path.parent / "fresh")}.items():
            text = text.replace(f"<{name}>", place)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, tables: Tables, loop: Callable[..., None]) -> Ran:
        """Make a run in which `loop` stands where the training loop is; it may raise Enough."""
        file = self.write(tables)
        run = create_run(file.parent / "runs", "walk", dump_config(read_config(file)))
        events, code, threads = EventWriter(run), ExitCode.DONE, torch.get_num_threads()
        with (
            patch.object(make_ready, "join", lambda run: (ALONE, torch.device("cpu"))),
            patch.object(make_ready, "load_model", self._load),
            patch.object(trainer, "train", loop),
            suppress(Enough),
        ):
            try:
                code = trainer.train_run(run, events, NO_SIGNALS)
            finally:
                events.close()
                torch.set_num_threads(threads)
        log = EventReader(run.events).poll()
        if code is not ExitCode.DONE:
            raise RunFailedError(log[-1]["text"])
        return Ran(file.parent, log)

    def _load(self, settings: Any, **_: Any) -> Any:
        """Load a model once; every run gets a copy of its own, by pickle, which is faster than `deepcopy`."""
        if repr(settings) not in self.models:
            loaded = load_model(settings)
            self.models[repr(settings)] = loaded, pickle.dumps({name: getattr(loaded, name) for name in PARTS})
        loaded, parts = self.models[repr(settings)]
        model = replace(loaded, **pickle.loads(parts))
        for call in self.on_load:
            call(model)
        return model
