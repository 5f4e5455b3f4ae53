"""What follows the finished model: its uploads, and how the run ends. A stop leaves only them to be done."""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode
from trainer_core.hooks.upload import upload_result
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader, EventWriter
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.text import safe_text
from trainer_core.train.aside import unless_stopped
from trainer_core.train.halt import Halt
from trainer_core.train.publish import Trained, publish


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process of a run ends.

    Attributes:
        outputs: the model's files, where it is written.
        left: what the event says besides: what is still to be done, in the terms of `Trained`.
    """

    code: ExitCode
    text: str
    outputs: list[Path] = field(default_factory=list)
    left: dict[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the event that tells it."""
        outputs = [str(path) for path in self.outputs]
        more = {} if self.left is None else {"left": self.left}
        return {"exit_code": int(self.code), "text": self.text, "step": None, "outputs": outputs, **more}


def hand_over(trained: Trained, run: RunDirectory, events: EventWriter, halt: Halt, told: str = "") -> Ending:
    """Upload what is to be uploaded, and return how the run ends; `told` is said at the end too."""
    try:
        uploaded = ""
        if trained.config.hub.push:
            uploaded = unless_stopped(halt, partial(publish, trained, events))
        uploaded += upload_result(run, trained.paths, trained.step, events, halt.is_asked)
    except StopRequestedError:
        text = f"trained {trained.step} steps and wrote the model, but it is not uploaded ({halt.reason})"
        way_on = f"`dbtui resume {safe_text(run.name)}` uploads it"
        return Ending(ExitCode.STOPPED, f"{text}; {way_on}", trained.paths, _left(trained))
    events.emit("phase", name="done", total=None, totals=trained.totals)
    return Ending(ExitCode.DONE, f"trained {trained.step} steps{uploaded}{told}", trained.paths)


def left_to_hand_over(run: RunDirectory, config: Config) -> Trained | None:
    """Return the training of which an earlier process left only the uploads, None if there is more to do.

    That is so if a stop came then, the configuration is the same, and the model lies there as it was written.
    """
    endings = [event for event in EventReader(run.events).poll() if event.get("kind") in {"finished", "failed"}]
    if not endings or not isinstance(left := endings[-1].get("left"), dict):
        return None
    try:
        paths = [Path(path) for path in endings[-1]["outputs"]]
        trained = Trained(config, str(left["family"]), int(left["step"]), paths, dict(left["totals"]))
        return trained if _left(trained) == left else None
    except (KeyError, TypeError, ValueError, OSError):
        return None


def _left(trained: Trained) -> dict[str, Any]:
    return {
        "family": trained.family,
        "step": trained.step,
        "totals": trained.totals,
        "bytes": [_size(path) for path in trained.paths],
        "configuration": hashlib.sha256(dump_config(trained.config).encode()).hexdigest(),
    }


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
