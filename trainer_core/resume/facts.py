"""What a checkpoint remembers besides tensors: enough to see at a resume whether it would be the same training."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer_core.config.schema import Config
from trainer_core.config.schema import Model as ModelSettings
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item
from trainer_core.errors import UserError
from trainer_core.models.fingerprint import fingerprint
from trainer_core.models.sniff import sniff
from trainer_core.resume.pictures import rows_of
from trainer_core.resume.settings import settings_of
from trainer_core.run.process import library_versions

_COMPUTING = ("torch", "diffusers", "transformers", "bitsandbytes", "prodigyopt", "schedulefree")
"""Libraries whose other version may compute other last digits."""

Facts = dict[str, Any]
"""The `facts` of a state.json: `settings`, `pictures`, and since format 2 `model`, `total_steps`, `made_with`."""


def facts_of(
    config: Config,
    items: Sequence[Item],
    fits: Sequence[Fit],
    digests: Mapping[Path, str],
    *,
    total_steps: int,
    device: str = "",
) -> Facts:
    """Return what is remembered of a training.

    Args:
        config: its configuration.
        items: every picture of an epoch.
        fits: for each item, how its picture becomes its bucket.
        digests: SHA-256 of the picture files; one that is not there is not compared.
        total_steps: its optimizer steps.
        device: the name of what computes; "" where it is not known, and then not compared.
    """
    return {
        "settings": settings_of(config),
        "pictures": rows_of(items, fits, digests),
        "model": _model_mark(config.model),
        "total_steps": total_steps,
        "made_with": {**_versions(), **({"device": device} if device else {})},
    }


def _versions() -> dict[str, str]:
    return {name: version for name, version in library_versions().items() if name in _COMPUTING}


def _model_mark(settings: ModelSettings) -> str:
    """Return a fingerprint of the start model, its VAE and tokenizer; "" where a file of them cannot be read."""
    with suppress(OSError, UserError):
        info = sniff(settings.base or "", family=settings.family, prediction=settings.prediction)
        alone = replace(info, family=None, prediction=None)  # how it is used is a matter of the settings
        return fingerprint(settings.model_copy(update={"clip_skip": None}), alone)
    return ""
