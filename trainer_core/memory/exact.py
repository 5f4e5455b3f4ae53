"""Every phase of one configuration, rehearsed with the shapes of its own start model."""

from contextlib import ExitStack
from typing import Any

import torch

from trainer_core.config.schema import Config
from trainer_core.data.dataset import Size
from trainer_core.errors import UserError
from trainer_core.memory.fake_model import Configs, published_configs
from trainer_core.memory.rehearsal import Rehearsal, without_memory
from trainer_core.models.assemble import module_config
from trainer_core.models.family import COMPONENTS, Prediction
from trainer_core.models.load import recipe_of
from trainer_core.models.preflight import is_pickled
from trainer_core.models.sniff import FamilyName, sniff


def rehearse(config: Config, family: FamilyName, size: Size) -> dict[str, dict[str, int]]:
    """Return the peak of each phase by kind, in bytes, for pictures of `size`."""
    torch.set_num_threads(1)
    prediction, configs = _model_of(config, family)
    with without_memory():
        rehearsal = Rehearsal(config, family, prediction, configs, size)
        return {phase: dict(peak.kinds) for phase, peak in rehearsal.all().items()}


def _model_of(config: Config, family: FamilyName) -> tuple[Prediction, Configs]:
    """Return the configurations that the start model's header tells; without one, the published models'."""
    settings = config.model
    prediction: Prediction = "v" if settings.prediction == "v" else "epsilon"
    try:
        info = sniff(settings.base or "", family=settings.family, prediction=settings.prediction)
        if info.is_hub_id or is_pickled(info):
            return prediction, published_configs(family, prediction)
        with ExitStack() as stack:
            recipe = recipe_of(settings.model_copy(update={"vae": None}), stack)
            configs: dict[str, dict[str, Any]] = {part: module_config(part, recipe) for part in COMPONENTS}
            return recipe.prediction, configs | {"scheduler": recipe.bundled["scheduler"]}
    except (UserError, OSError):  # the plan tells what is wrong with it
        return prediction, published_configs(family, prediction)
