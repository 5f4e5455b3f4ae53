"""Load a model from any of its formats into float32 modules on the CPU."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.assemble import Recipe, assemble
from trainer_core.models.ckpt import as_safetensors, is_copy
from trainer_core.models.configs import read_configs
from trainer_core.models.family import COMPONENTS, VAE_PREFIX, Component, Family, family_named
from trainer_core.models.header import read_header
from trainer_core.models.keymap_clip import TOKEN_EMBEDDING
from trainer_core.models.layout import check_vae_scale, read_folder
from trainer_core.models.model import StableDiffusion
from trainer_core.models.slots import folder_source, single_file_source
from trainer_core.models.sniff import ModelInfo, overrule, sniff, sniff_safetensors
from trainer_core.models.tokenizer_files import check_vocabulary, find_tokenizer
from trainer_core.models.vae import find_vae
from trainer_core.text import safe_text

Progress = Callable[[str], None]

# What a Diffusers folder may decide beyond what the shapes say.
FREE_SETTINGS: dict[Component, set[str]] = {
    "unet": {"attention_head_dim", "upcast_attention", "sample_size", "norm_num_groups", "norm_eps"},
    "vae": {"sample_size", "norm_num_groups", "force_upcast"},
    "text_encoder": {"hidden_act", "num_attention_heads", "layer_norm_eps", "eos_token_id", "projection_dim"},
}


def load_model(
    settings: ModelSettings,
    *,
    progress: Progress = lambda text: None,
    ema: bool = False,
    later: Collection[Component] = (),
) -> StableDiffusion:
    """Load `settings.base` (and `settings.vae`); with `ema`, the U-Net's averaged weights.

    `progress` is told in a few words what is going on. The weights of the components `later` are only read when
    `StableDiffusion.bring` asks for them, except those of pickled files, whose copy does not last.

    Raises a UserError (exit code 4) that names the file for everything that can be wrong with a model, among it
    weights that are not finite (of what is read later, then); nothing is downloaded to read a file or folder.
    """
    with ExitStack() as stack:
        recipe = recipe_of(settings, stack, progress=progress, ema=ema)
        lasting = [
            each for each in later if not any(is_copy(slot.path) for slot in recipe.source.of(each).values())
        ]
        return assemble(recipe, progress, lasting)


def recipe_of(
    settings: ModelSettings, stack: ExitStack, *, progress: Progress = lambda text: None, ema: bool = False
) -> Recipe:
    """Return what `load_model` builds the model from; no weights are read yet, but pickles.

    What is made on the way lives as long as `stack`. Errors as those of `load_model`.
    """
    if settings.base is None:
        raise UserError("model.base is missing: name the model to start from", ExitCode.MODEL)
    info = sniff(settings.base, family=settings.family, prediction=settings.prediction)
    if info.is_hub_id:
        info = _fetch(info, settings, progress)
    if info.format == "diffusers":
        recipe = _from_folder(info, progress, stack, ema=ema)
    else:
        recipe = _from_file(info, settings, progress, stack, ema=ema)
    _put_vae(recipe, settings.vae, progress, stack)
    if settings.tokenizer is not None:
        recipe.family = _reading_with(settings.tokenizer, recipe, progress)
    return recipe


def _fetch(info: ModelInfo, settings: ModelSettings, progress: Progress) -> ModelInfo:
    """Return what the Hub's model turns out to be, under the name that the person gave."""
    from trainer_core.models.hub import fetch_model

    folder = fetch_model(info.base, settings.revision, progress)
    found = sniff(str(folder), family=settings.family, prediction=settings.prediction)
    return replace(found, base=info.base)


def _from_file(
    info: ModelInfo, settings: ModelSettings, progress: Progress, stack: ExitStack, *, ema: bool
) -> Recipe:
    path = path_of(info)
    if info.format == "ckpt":
        progress("reading the checkpoint in a process of its own")
        weights = as_safetensors(path, stack)
        found = sniff_safetensors(info.base, weights, yaml_beside=path)
        found = overrule(found, settings.family, settings.prediction)
        info = replace(found, path=path, format="ckpt", size_bytes=info.size_bytes)
        path = weights
    if info.family is None or info.prediction is None:
        raise RuntimeError(f"{info.base}: family or prediction type is not known")
    family = family_named(info.family)
    source = single_file_source(read_header(path), family, ema=ema)
    notes = ["the averaged (EMA) weights in the file are not used and not kept"] if source.dropped_ema else []
    bundled = read_configs(family.config_name(info.prediction))
    return Recipe(info, family, info.prediction, source, bundled, notes=notes)


def _from_folder(info: ModelInfo, progress: Progress, stack: ExitStack, *, ema: bool) -> Recipe:
    folder = read_folder(path_of(info))
    if ema:
        raise UserError(f"{safe_text(info.base)}: a Diffusers folder has no separate EMA weights", ExitCode.MODEL)
    for component, files in folder.weights.items():
        if any(file.suffix != ".safetensors" for file in files):
            progress(f"reading the {component} in a process of its own")
            folder.weights[component] = [as_safetensors(file, stack) for file in files]
    prediction = info.prediction or "epsilon"
    family = family_named(info.family or folder.family)
    bundled = read_configs(family.config_name(prediction))
    bundled["scheduler"] = folder.configs.get("scheduler", bundled["scheduler"])
    free = {component: _only(folder.configs[component], FREE_SETTINGS[component]) for component in COMPONENTS}
    return Recipe(info, family, prediction, folder_source(folder), bundled, free)


def _put_vae(recipe: Recipe, vae: str | None, progress: Progress, stack: ExitStack) -> None:
    """Put another VAE in the place of the source's, where the person named one; refuse other scales."""
    if vae is not None:
        source = recipe.source
        source.vae = find_vae(vae, progress, stack)
        source.kept = {name: slot for name, slot in source.kept.items() if not name.startswith(VAE_PREFIX)}
        recipe.vae_base = vae
    elif recipe.info.format == "diffusers":
        check_vae_scale(path_of(recipe.info) / "vae")
    if not recipe.source.vae:
        raise UserError(
            f"{safe_text(recipe.info.base)}: it holds no VAE; name one with model.vae, or use the full model file",
            ExitCode.MODEL,
        )


def _reading_with(named: str, recipe: Recipe, progress: Progress) -> Family:
    """Return the family with another tokenizer, which must fit the text encoder."""
    tokenizer = find_tokenizer(named, progress)
    embedding = recipe.source.text_encoder.get(TOKEN_EMBEDDING)
    if embedding is not None:
        check_vocabulary(tokenizer, embedding.shape[0], named)
    return recipe.family.reading(replace(recipe.family.text_form, tokenizer=tokenizer))


def _only(config: dict[str, object], names: set[str]) -> dict[str, object]:
    return {name: value for name, value in config.items() if name in names}


def path_of(info: ModelInfo) -> Path:
    """Return the local file or folder of a model that is not a Hub id, or was fetched."""
    if info.path is None:
        raise RuntimeError(f"{info.base} has not been fetched")
    return info.path
