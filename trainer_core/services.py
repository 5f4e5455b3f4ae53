"""What logs and the upload need besides files: packages and keys, asked for before anything starts. No torch."""

import netrc
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from trainer_core.config.schema import Config, Hub, Log
from trainer_core.errors import ExitCode, UserError
from trainer_core.hooks.user_config import user_config_problems

TOKEN = "HF_TOKEN"
WANDB_KEY = "WANDB_API_KEY"
_TRUE = {"1", "ON", "YES", "TRUE"}


def service_problems(config: Config) -> list[UserError]:
    """Return what is missing on this machine for [log] and [hub], each with the next action; nothing is asked."""
    errors = user_config_problems()
    if problems := list(_log_problems(config.log)):
        errors.append(UserError(problems, ExitCode.CONFIG))
    if problems := list(_hub_problems(config.hub)):
        errors.append(UserError(problems, ExitCode.MODEL))
    return errors


def _log_problems(log: Log) -> Iterator[str]:
    for name, is_wanted in (("tensorboard", log.tensorboard), ("wandb", log.wandb)):
        if is_wanted and find_spec(name) is None:
            yield f"log.{name} needs the package {name}: run `pip install {name}`, or remove log.{name}"
        elif is_wanted and name == "wandb" and not _has_wandb_key():
            yield (
                f"log.wandb needs a key: set {WANDB_KEY} in the environment (see wandb.ai/authorize), or"
                " WANDB_MODE=offline to log into the run's folder alone"
            )


def _has_wandb_key() -> bool:
    """Tell whether wandb will find a key where it looks for one, or needs none."""
    if os.environ.get("WANDB_MODE") in {"offline", "dryrun", "disabled"} or os.environ.get(WANDB_KEY):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        file = os.environ.get("NETRC") or str(Path.home() / ".netrc")
        return netrc.netrc(file).authenticators(host) is not None
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        return False


def _hub_problems(hub: Hub) -> Iterator[str]:
    if not hub.push:
        return
    if not os.environ.get(TOKEN):
        yield (
            f"hub.push needs a token with write access: set {TOKEN} in the environment (see"
            " huggingface.co/settings/tokens), or remove hub.push"
        )
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        yield "hub.push needs the network, and HF_HUB_OFFLINE is set: unset it, or remove hub.push"
