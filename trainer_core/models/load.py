"""Load a model from any of its formats into float32 modules on the CPU."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models import modules, shapes
from trainer_core.models.ckpt import as_safetensors
from trainer_core.models.configs import Config, read_configs
from trainer_core.models.family import COMPONENTS, VAE_PREFIX, Component, Family, Prediction, family_named
from trainer_core.models.header import read_header
from trainer_core.models.layout import DiffusersFolder, read_folder
from trainer_core.models.model import StableDiffusion
from trainer_core.models.slots import Slots, Source, folder_source, single_file_source
from trainer_core.models.sniff import ModelInfo, overrule, sniff, sniff_safetensors
from trainer_core.models.tensors import TORCH_DTYPES, TensorReader
from trainer_core.models.vae import find_vae
from trainer_core.text import safe_text

Progress = Callable[[str], None]
MAX_SHOWN = 5
TITLES: dict[Component, str] = {"unet": "U-Net", "vae": "VAE", "text_encoder": "text encoder"}

# What a Diffusers folder may decide beyond what the shapes say.
FREE_SETTINGS: dict[Component, set[str]] = {
    "unet": {"attention_head_dim", "upcast_attention", "sample_size", "norm_num_groups", "norm_eps"},
    "vae": {"scaling_factor", "sample_size", "norm_num_groups", "force_upcast"},
    "text_encoder": {"hidden_act", "num_attention_heads", "layer_norm_eps", "eos_token_id", "projection_dim"},
}


def load_model(
    settings: ModelSettings, *, progress: Progress = lambda text: None, ema: bool = False
) -> StableDiffusion:
    """Load `settings.base` (and `settings.vae`); with `ema`, the U-Net's averaged weights.

    `progress` is told in a few words what is going on. Raises a UserError (exit code 4) that names the file for
    everything that can be wrong with a model, among it weights that are not finite.
    """
    if settings.base is None:
        raise UserError("model.base is missing: name the model to start from", ExitCode.MODEL)
    info = sniff(settings.base, family=settings.family, prediction=settings.prediction)
    with ExitStack() as stack:
        if info.is_hub_id:
            info = _fetch(info, settings, progress)
        if info.format == "diffusers":
            return _load_folder(info, settings, progress, stack)
        return _load_single_file(info, settings, progress, stack, ema=ema)


def _fetch(info: ModelInfo, settings: ModelSettings, progress: Progress) -> ModelInfo:
    from trainer_core.models.hub import fetch_model

    folder = fetch_model(info.base, settings.revision, progress)
    found = sniff(str(folder), family=settings.family, prediction=settings.prediction)
    return replace(found, base=info.base)


def _load_single_file(
    info: ModelInfo, settings: ModelSettings, progress: Progress, stack: ExitStack, *, ema: bool
) -> StableDiffusion:
    path = _path(info)
    if info.format == "ckpt":
        progress("reading the checkpoint in a process of its own")
        path = as_safetensors(path, stack)
        info = _sniff_extracted(info, path, settings)
    if info.family is None or info.prediction is None:
        raise RuntimeError(f"{info.base}: family or prediction type is not known")
    family = family_named(info.family)
    source = single_file_source(read_header(path), family, ema=ema)
    configs = read_configs(family.config_name(info.prediction))
    notes = ["the averaged (EMA) weights in the file are not used"] if source.dropped_ema else []
    return _build(info, settings, family, source, configs, {}, progress, stack, notes)


def _sniff_extracted(info: ModelInfo, path: Path, settings: ModelSettings) -> ModelInfo:
    """Sniff what was extracted from a `.ckpt`, in the name of the file that the person gave."""
    found = overrule(
        sniff_safetensors(info.base, path, yaml_beside=_path(info)), settings.family, settings.prediction
    )
    return replace(found, path=info.path, format="ckpt", size_bytes=info.size_bytes)


def _load_folder(
    info: ModelInfo, settings: ModelSettings, progress: Progress, stack: ExitStack
) -> StableDiffusion:
    folder = _without_pickles(read_folder(_path(info)), progress, stack)
    family = family_named(info.family or folder.family)
    prediction: Prediction = info.prediction or "epsilon"
    configs = read_configs(family.config_name(prediction))
    free = {
        component: {
            key: value for key, value in folder.configs[component].items() if key in FREE_SETTINGS[component]
        }
        for component in COMPONENTS
    }
    if scheduler := folder.configs.get("scheduler"):
        configs["scheduler"] = {**scheduler, "prediction_type": _diffusers_prediction(prediction)}
    return _build(info, settings, family, folder_source(folder), configs, free, progress, stack, [])


def _without_pickles(folder: DiffusersFolder, progress: Progress, stack: ExitStack) -> DiffusersFolder:
    weights = {}
    for component, files in folder.weights.items():
        if any(file.suffix == ".bin" for file in files):
            progress(f"reading the {component} in a process of its own")
            files = [as_safetensors(file, stack) for file in files]
        weights[component] = files
    return replace(folder, weights=weights)


def _build(
    info: ModelInfo,
    settings: ModelSettings,
    family: Family,
    source: Source,
    configs: dict[str, Config],
    free: dict[Component, Config],
    progress: Progress,
    stack: ExitStack,
    notes: list[str],
) -> StableDiffusion:
    if settings.vae is not None:
        source.vae = find_vae(settings.vae, progress, stack)
        source.kept = {name: slot for name, slot in source.kept.items() if not name.startswith(VAE_PREFIX)}
    if not source.vae:
        raise UserError(
            f"{safe_text(info.base)}: it holds no VAE; name one with model.vae, or use the full model file",
            ExitCode.MODEL,
        )
    readers = stack.enter_context(TensorReader())
    loaded: dict[Component, nn.Module] = {}
    for component in COMPONENTS:
        progress(f"loading the {TITLES[component]}")
        slots = source.of(component)
        named = settings.vae if component == "vae" and settings.vae else info.base
        config = _config(component, slots, configs[component], free.get(component, {}), family, named)
        loaded[component] = _load_module(component, slots, config, readers, named)
    return StableDiffusion(
        info=info,
        family=family,
        prediction=info.prediction or "epsilon",
        unet=loaded["unet"],
        vae=loaded["vae"],
        text_encoder=loaded["text_encoder"],
        scheduler_config={
            **configs["scheduler"],
            "prediction_type": _diffusers_prediction(info.prediction or "epsilon"),
        },
        dtypes={component: _common_dtype(source.of(component)) for component in COMPONENTS},
        kept={name: readers.read_as_stored(slot) for name, slot in source.kept.items()},
        notes=notes,
    )


def _config(
    component: Component, slots: Slots, bundled: Config, free: Config, family: Family, base: str
) -> Config:
    """Return the module's configuration: what the shapes say, and the free settings of its folder."""
    sizes = {name: slot.shape for name, slot in slots.items()}
    try:
        if component == "unet":
            return {**shapes.unet_config(bundled, sizes, family), **free}
        if component == "vae":
            return {**shapes.vae_config(bundled, sizes), **free}
        return {**shapes.text_encoder_config(bundled, sizes), **free}
    except (KeyError, IndexError, ValueError) as error:
        raise _incomplete(component, base, error) from error


def _load_module(
    component: Component, slots: Slots, config: Config, readers: TensorReader, base: str
) -> nn.Module:
    try:
        module = modules.build_empty(component, config)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise _incomplete(component, base, error) from error
    _check_names_and_shapes(component, module, slots, base)

    def read(name: str) -> Tensor:
        tensor = readers.read(slots[name]).to(torch.float32)
        _check_finite(tensor, name, base)
        return tensor

    modules.fill(component, module, read)
    return module


def _check_names_and_shapes(component: Component, module: nn.Module, slots: Slots, base: str) -> None:
    title, own = TITLES[component], module.state_dict()
    wanted = {
        name: tuple(own[own_name].shape) for name, own_name in modules.tensor_names(component, module).items()
    }
    problems = [f"the {title} lacks {name}" for name in wanted if name not in slots]
    problems += [
        f"the {title} has {name}, which SD 1.x and 2.x do not have" for name in slots if name not in wanted
    ]
    problems += [
        f"{name} of the {title} has the shape {list(slots[name].shape)} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in slots and shape != slots[name].shape
    ]
    if len(problems) > MAX_SHOWN:
        problems[MAX_SHOWN:] = [
            f"and {len(problems) - MAX_SHOWN} more such problems; use another copy of the model"
        ]
    if problems:
        raise UserError([f"{safe_text(base)}: {safe_text(problem)}" for problem in problems], ExitCode.MODEL)


def _incomplete(component: Component, base: str, error: Exception) -> UserError:
    return UserError(
        f"{safe_text(base)}: the {TITLES[component]} is incomplete or has another architecture "
        f"({safe_text(error)}); use another copy of the model",
        ExitCode.MODEL,
    )


def _check_finite(tensor: Tensor, name: str, base: str) -> None:
    if tensor.numel() == 0:
        return
    low, high = torch.aminmax(tensor)
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise UserError(
            f"{safe_text(base)}: {safe_text(name)} holds values that are not finite (NaN, infinite): the file "
            "is damaged or its training had failed; use another",
            ExitCode.MODEL,
        )


def _common_dtype(slots: Slots) -> torch.dtype:
    counts: Counter[str] = Counter()
    for slot in slots.values():
        if slot.dtype in TORCH_DTYPES:
            counts[slot.dtype] += torch.Size(slot.shape).numel()
    return TORCH_DTYPES[counts.most_common(1)[0][0]] if counts else torch.float32


def _diffusers_prediction(prediction: Prediction) -> str:
    return "v_prediction" if prediction == "v" else "epsilon"


def _path(info: ModelInfo) -> Path:
    if info.path is None:
        raise RuntimeError(f"{info.base} has not been fetched")
    return info.path
