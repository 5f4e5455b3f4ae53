"""Starts the logs that a run asked for."""

from collections.abc import Callable

from trainer_core.config.schema import Config
from trainer_core.logs.follower import Log, LogFollower
from trainer_core.logs.place import log_place
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

DEFAULT_PROJECT = "dbtui"


def follow_run(config: Config, run: RunDirectory, events: EventWriter, from_step: int) -> list[LogFollower]:
    """Write the events from now on into the logs of `config`; the training stands at `from_step`."""
    if not (config.log.tensorboard or config.log.wandb):
        return []
    try:
        place = log_place(run, config.log)
    except OSError as error:
        events.emit("warning", code="log", text=f"there is no log: {safe_text(error)}", step=None)
        return []
    openers: dict[str, Callable[[], Log]] = {}
    if config.log.tensorboard:
        from trainer_core.logs.tensorboard_log import TensorBoardLog

        openers["TensorBoard"] = lambda: TensorBoardLog(place.folder, from_step)
    if config.log.wandb:
        from trainer_core.logs.wandb_log import WandbLog, shared_settings

        project, name = config.log.wandb_project or DEFAULT_PROJECT, (config.log.prefix or "") + run.name
        openers["Weights & Biases"] = lambda: WandbLog(
            place.folder, project, name, place.id, shared_settings(config)
        )
    return [LogFollower(name, opener, run, events) for name, opener in openers.items()]
