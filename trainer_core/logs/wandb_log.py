"""A log at Weights & Biases, or below the log's folder with WANDB_MODE=offline."""

from pathlib import Path
from typing import Any

from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of
from trainer_core.config.schema import Config
from trainer_core.config.shareable import machine_paths, secrets

PRIVATE_LISTS = ("concept.", "sample.prompts.", "preset.")
"""Settings that stay at home: whom the pictures show, and what is drawn of them."""


class WandbLog:
    """Sends numbers and previews with the package `wandb`; the key comes from its environment.

    Of this machine nothing is sent: no host, user, path, program, command line, git remote or list of packages.
    """

    def __init__(self, folder: Path, project: str, name: str, id_: str, settings: dict[str, Any]) -> None:
        """Open the log `id_`, or go on with it; `name` is what the page shows."""
        import wandb

        self._wandb = wandb
        private = wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            host="-",
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        self._run = wandb.init(
            project=project,
            name=name,
            id=id_,
            resume="allow",
            dir=str(folder),
            config=settings,
            settings=private,
        )
        self._run.define_metric("step")  # an axis of our own: after a resume it may begin earlier than it ended
        self._run.define_metric("*", step_metric="step")

    def write_numbers(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers of one step."""
        self._run.log({**numbers, "step": step})

    def write_picture(self, step: int, name: str, picture: Path, prompt: str) -> None:
        """Log a preview as `samples/<name>` with its prompt as caption."""
        self._run.log({f"samples/{name}": self._wandb.Image(str(picture), caption=prompt), "step": step})

    def close(self) -> None:
        """Write what waits and end."""
        self._run.finish()


def shared_settings(config: Config) -> dict[str, Any]:
    """Return the settings that may leave this machine: no binding, no subject, nothing like a path or a secret."""
    tables = config.model_dump(mode="json", by_alias=True)
    values = {
        key: value_of(tables, field)
        for key, field in all_fields().items()
        if "." in key and not field.binding and not key.startswith(PRIVATE_LISTS)
    }
    return {key: value for key, value in values.items() if value is not None and not _gives_away(value)}


def _gives_away(value: Any) -> bool:
    return isinstance(value, str) and (any(machine_paths({"text": value})) or any(secrets(value)))
