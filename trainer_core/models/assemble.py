"""Build the three modules from where their tensors lie, and refuse what does not fit or is not finite."""

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from trainer_core.errors import ExitCode, UserError
from trainer_core.models import modules, shapes
from trainer_core.models.configs import Config
from trainer_core.models.family import COMPONENTS, Component, Family, Prediction
from trainer_core.models.model import StableDiffusion
from trainer_core.models.slots import Slots, Source
from trainer_core.models.sniff import ModelInfo
from trainer_core.models.tensors import TORCH_DTYPES, TensorReader
from trainer_core.text import safe_text

MAX_SHOWN = 5
TITLES: dict[Component, str] = {"unet": "U-Net", "vae": "VAE", "text_encoder": "text encoder"}


@dataclass(slots=True)
class Recipe:
    """Everything that the modules are made from.

    Attributes:
        info: what the source is.
        family: its family.
        prediction: what its U-Net predicts.
        source: where the tensors lie.
        bundled: the family's configurations, by component, with the source's own `scheduler`.
        free: settings of a Diffusers folder that shapes do not tell; they win.
        vae_base: what the person called the VAE, where it comes from elsewhere.
        notes: what the person should know.
    """

    info: ModelInfo
    family: Family
    prediction: Prediction
    source: Source
    bundled: dict[str, Config]
    free: dict[Component, Config] = field(default_factory=dict)
    vae_base: str | None = None
    notes: list[str] = field(default_factory=list)


def assemble(
    recipe: Recipe, progress: Callable[[str], None], later: Collection[Component] = ()
) -> StableDiffusion:
    """Return the loaded model: float32 modules on the CPU, in evaluation mode.

    Of the components `later`, names and shapes are checked, but the weights stay in their files until
    `StableDiffusion.bring` asks for them.
    """
    source, waiting = recipe.source, {part: WaitingModule.of(part, recipe) for part in COMPONENTS}
    built = {component: each.module for component, each in waiting.items()}
    with TensorReader() as reader:
        for component in COMPONENTS:
            if component not in later:
                progress(f"loading the {TITLES[component]}")
                waiting.pop(component).read(torch.device("cpu"), torch.float32, reader)
        kept = {
            name: _kept(name, reader.read_as_stored(slot), recipe.info.base) for name, slot in source.kept.items()
        }
    diffusers_prediction = "v_prediction" if recipe.prediction == "v" else "epsilon"
    return StableDiffusion(
        info=recipe.info,
        family=recipe.family,
        prediction=recipe.prediction,
        unet=built["unet"],
        vae=built["vae"],
        text_encoder=built["text_encoder"],
        scheduler_config={**recipe.bundled["scheduler"], "prediction_type": diffusers_prediction},
        dtypes={component: _common_dtype(source.of(component)) for component in COMPONENTS},
        kept=kept,
        notes=recipe.notes,
        waiting=dict(waiting),
    )


@dataclass(frozen=True, slots=True)
class WaitingModule:
    """A module of the right shapes, whose weights are in their files still.

    Attributes:
        marks: what the files looked like when names and shapes were read from them.
    """

    component: Component
    module: nn.Module
    slots: Slots
    base: str
    marks: dict[Path, tuple[int, int, int]]

    @staticmethod
    def of(component: Component, recipe: Recipe) -> "WaitingModule":
        """Build it; names and shapes are checked."""
        slots = recipe.source.of(component)
        base = recipe.vae_base if component == "vae" and recipe.vae_base else recipe.info.base
        try:
            module = modules.build_empty(component, module_config(component, recipe))
        except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
            problem = f"the {TITLES[component]} is incomplete or has another architecture ({safe_text(error)})"
            raise UserError(
                f"{safe_text(base)}: {problem}; use another copy of the model", ExitCode.MODEL
            ) from error
        _check_names_and_shapes(component, module, slots, base)
        return WaitingModule(component, module, slots, base, {path: _mark(path) for path in _paths(slots)})

    def __call__(self, device: torch.device, dtype: torch.dtype) -> None:
        """Read the weights onto `device`, some time after names and shapes were read."""
        for path, mark in self.marks.items():
            if _mark(path) != mark:
                problem = f"{safe_text(path)} was changed or removed while the model was loaded: start again"
                raise UserError(f"{safe_text(self.base)}: {problem}", ExitCode.MODEL)
        with TensorReader() as reader:
            self.read(device, dtype, reader)

    def read(self, device: torch.device, dtype: torch.dtype, reader: TensorReader) -> None:
        """Read the weights, tensor by tensor, onto `device`; there they are checked, and become `dtype`."""

        def read(name: str) -> Tensor:
            slot = self.slots[name]
            tensor = reader.read(slot, device, torch.float32)
            _check_finite(tensor, f"{slot.name} of the {TITLES[self.component]}", self.base)
            return tensor.to(dtype)

        modules.fill(self.component, self.module, read)


def module_config(component: Component, recipe: Recipe) -> Config:
    """Return the module's configuration: what the shapes say, and the free settings of its folder."""
    sizes = {name: slot.shape for name, slot in recipe.source.of(component).items()}
    bundled = recipe.bundled[component]
    if component == "unet":
        derived = shapes.unet_config(bundled, sizes, recipe.family)
    elif component == "vae":
        derived = shapes.vae_config(bundled, sizes)
    else:
        derived = shapes.text_encoder_config(bundled, sizes)
    return {**derived, **recipe.free.get(component, {})}


def _paths(slots: Slots) -> set[Path]:
    return {slot.path for slot in slots.values()}


def _mark(path: Path) -> tuple[int, int, int]:
    """Return what tells a file from another one in its place, or a changed one; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def _check_names_and_shapes(component: Component, module: nn.Module, slots: Slots, base: str) -> None:
    title, own = TITLES[component], module.state_dict()
    names = modules.tensor_names(component, module)
    wanted = {name: tuple(own[own_name].shape) for name, own_name in names.items()}
    problems = [f"the {title} lacks {name}" for name in wanted if name not in slots]
    problems += [f"the {title} has {name}, which SD 1.x and 2.x lack" for name in slots if name not in wanted]
    problems += [
        f"{name} of the {title} has the shape {list(slots[name].shape)} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in slots and shape != slots[name].shape
    ]
    if len(problems) > MAX_SHOWN:
        problems[MAX_SHOWN:] = [f"and {len(problems) - MAX_SHOWN} more such problems; use another copy"]
    if problems:
        raise UserError([f"{safe_text(base)}: {safe_text(problem)}" for problem in problems], ExitCode.MODEL)


def _kept(name: str, tensor: Tensor, base: str) -> Tensor:
    """Return what is only passed on; in the tables of a noise schedule infinity can be right."""
    if name.startswith("cond_stage_model.") and tensor.is_floating_point():
        _check_finite(tensor, name, base)
    return tensor


def _check_finite(tensor: Tensor, name: str, base: str) -> None:
    low, high = torch.aminmax(tensor)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError(
            f"{safe_text(base)}: {safe_text(name)} holds values that are not finite (NaN or infinite): the file "
            "is damaged or its training failed; use another",
            ExitCode.MODEL,
        )


def _common_dtype(slots: Slots) -> torch.dtype:
    """Return the type in which most of the component's elements are stored."""
    counts: Counter[str] = Counter()
    for slot in slots.values():
        if slot.dtype in TORCH_DTYPES:
            counts[slot.dtype] += torch.Size(slot.shape).numel()
    return TORCH_DTYPES[counts.most_common(1)[0][0]] if counts else torch.float32
