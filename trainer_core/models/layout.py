"""What the names and shapes in a file, or the parts of a folder, say about the kind of model; no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.header import Header
from trainer_core.on_disk import is_file, is_folder, why_closed
from trainer_core.text import safe_text

SINGLE_FILE_PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.",
}
CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
FIRST_CONVOLUTION = "model.diffusion_model.input_blocks.0.0.weight"
LAST_CONVOLUTION = "model.diffusion_model.out.2.weight"
OTHER_INPUTS = {
    9: "an inpainting model",
    8: "an InstructPix2Pix model",
    7: "an upscaler",
    5: "a depth-to-image model",
}
MAX_JSON_BYTES = 2**20
SCALING_FACTOR = 0.18215
"""What latents of SD 1.x and 2.x are multiplied by (Rombach et al. 2022, CompVis' `scale_factor`)."""

# What else goes under the name of a model, told by names of tensors (prefix, or anywhere in the name).
OTHER_KINDS = (
    ("prefix", "conditioner.embedders.", "an SDXL model"),
    ("prefix", "model.diffusion_model.double_blocks.", "a Flux model"),
    ("prefix", "double_blocks.", "a Flux model"),
    ("prefix", "model.diffusion_model.joint_blocks.", "an SD 3 model"),
    ("prefix", "joint_blocks.", "an SD 3 model"),
    ("prefix", "control_model.", "a ControlNet"),
    ("prefix", "controlnet_", "a ControlNet"),
    ("within", "lora_", "a LoRA, not a whole model"),
    ("within", ".lora.", "a LoRA, not a whole model"),
    ("within", ".hada_w1", "a LyCORIS file, not a whole model"),
    ("within", ".lokr_w", "a LyCORIS file, not a whole model"),
    ("prefix", "emb_params", "a textual inversion embedding, not a whole model"),
)
PARTS = (
    ("prefix", "first_stage_model.", "a VAE alone; give it as model.vae"),
    ("prefix", "decoder.mid", "a VAE alone; give it as model.vae"),
    ("prefix", "down_blocks.", "a U-Net alone; give the Diffusers folder that it belongs to"),
    ("prefix", "text_model.", "a text encoder alone; give the Diffusers folder that it belongs to"),
)


def why_not_a_model(header: Header) -> str | None:
    """Return what else the file is; None if it is a single-file SD 1.x or 2.x model (its VAE may be missing)."""
    names = header.tensors
    if kind := _first_match(names, OTHER_KINDS):
        return f"this is {kind}; training needs an SD 1.x or SD 2.x model"
    if CROSS_ATTENTION not in names or FIRST_CONVOLUTION not in names or LAST_CONVOLUTION not in names:
        if part := _first_match(names, PARTS):
            return f"this is {part}"
        return "this is not an SD 1.x or SD 2.x model (its tensors have other names)"
    shape, cross = names[FIRST_CONVOLUTION].shape, names[CROSS_ATTENTION].shape
    if len(shape) != 4 or len(cross) != 2:
        return "this is not an SD 1.x or SD 2.x model (its tensors have other shapes)"
    if shape[1] != 4:
        kind = OTHER_INPUTS.get(shape[1], "a special model")
        return f"this is {kind} ({shape[1]} input channels); training needs one with 4"
    if not any(name.startswith(SINGLE_FILE_PREFIXES["text_encoder"]) for name in names):
        return "its text encoder is missing; use the full model file"
    return None


def single_file_family(header: Header) -> Literal["sd1", "sd2"]:
    """Return the family: by the width of the cross-attention, and by the kind of text encoder for other widths."""
    width = header.tensors[CROSS_ATTENTION].shape[1]
    if width in {768, 1024}:
        return "sd1" if width == 768 else "sd2"
    return "sd2" if any(name.startswith("cond_stage_model.model.") for name in header.tensors) else "sd1"


def _first_match(names: dict[str, Any], kinds: tuple[tuple[str, str, str], ...]) -> str | None:
    for how, mark, kind in kinds:
        if any(name.startswith(mark) if how == "prefix" else mark in name for name in names):
            return kind
    return None


@dataclass(frozen=True, slots=True)
class DiffusersFolder:
    """The parts of a Diffusers folder: the JSON of each component, and the files with its weights."""

    path: Path
    family: Literal["sd1", "sd2"]
    configs: dict[str, dict[str, Any]]
    weights: dict[str, list[Path]]


UNET_STEM = "diffusion_pytorch_model"
WEIGHT_STEMS = {"unet": UNET_STEM, "vae": UNET_STEM, "text_encoder": "model"}
PICKLE_STEMS = {"unet": UNET_STEM, "vae": UNET_STEM, "text_encoder": "pytorch_model"}
PIPELINES = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"}


def read_folder(path: Path) -> DiffusersFolder:
    """Return the parts of the Diffusers folder `path`; a UserError that says everything that is wrong with it."""
    if closed := why_closed(path):
        raise _error(path, closed)
    index = read_json(path / "model_index.json") if is_file(path / "model_index.json") else {}
    if not index and not is_folder(path / "unet"):
        raise _error(
            path,
            "this folder is no Diffusers model (it has no model_index.json and no unet/); name one that is, "
            "or a .safetensors or .ckpt file",
        )
    _check_pipeline(path, index)
    problems, weights, configs = [], {}, {}
    for component in WEIGHT_STEMS:
        config = path / component / "config.json"
        files = component_files(path / component, component)
        if is_folder(path / component) and (closed := why_closed(path / component)):
            problems.append(f"{safe_text(path / component)}: {closed}")
            continue
        if not is_file(config) or not files:
            missing = "config.json" if not is_file(config) else "weights (.safetensors)"
            problems.append(f"{safe_text(path / component)}: {missing} is missing; download the model again")
            continue
        configs[component], weights[component] = read_json(config), files
    if problems:
        raise UserError(problems, ExitCode.MODEL)
    scheduler = path / "scheduler" / "scheduler_config.json"
    if is_file(scheduler):
        configs["scheduler"] = read_json(scheduler)
    configs["index"] = index
    return DiffusersFolder(path, _folder_family(path, configs["unet"]), configs, weights)


def is_diffusers_folder(path: Path) -> bool:
    """Whether the folder has what a Diffusers model begins with."""
    return is_file(path / "model_index.json") or is_folder(path / "unet")


def check_vae_scale(folder: Path) -> None:
    """Raise a UserError if the config.json in a VAE's folder asks for another scale than training uses."""
    config = folder / "config.json"
    if is_file(config) and (problem := _other_scale(read_json(config))):
        raise _error(config, problem)


def _other_scale(vae: dict[str, Any]) -> str | None:
    scale = vae.get("scaling_factor", SCALING_FACTOR)
    if isinstance(scale, float) and abs(scale - SCALING_FACTOR) < 1e-6:
        return None
    return (
        f"the VAE's scaling_factor is {safe_text(scale, limit=40)}, which no single file can hold and no SD 1.x or"
        f" 2.x was trained with; use a VAE with {SCALING_FACTOR}"
    )


def target_path(target_stem: Path, form: str) -> Path:
    """Return the file or folder that a model of this form is written to."""
    return target_stem if form == "diffusers" else target_stem.with_name(f"{target_stem.name}.{form}")


def yaml_path(file: Path) -> Path:
    """Return the path of the `.yaml` that tells of a model in a single file."""
    return file.with_suffix(".yaml")


def _check_pipeline(path: Path, index: dict[str, Any]) -> None:
    pipeline = index.get("_class_name", "StableDiffusionPipeline")
    if not isinstance(pipeline, str) or pipeline not in PIPELINES:
        known = "an SDXL model" if "XL" in str(pipeline) else f"a model for {pipeline}"
        raise _error(path, f"this is {known}; training needs an SD 1.x or SD 2.x model")
    for name, value in index.items():
        library = value[0] if isinstance(value, list) and value else None
        if name in WEIGHT_STEMS and library not in ("diffusers", "transformers"):
            raise _error(path, f"its model_index.json takes {name} from {library!r}: code of its own is not run")


def _folder_family(path: Path, unet: dict[str, Any]) -> Literal["sd1", "sd2"]:
    channels, width = unet.get("in_channels", 4), unet.get("cross_attention_dim")
    if channels != 4:
        kind = OTHER_INPUTS.get(channels) if isinstance(channels, int) else None
        raise _error(path, f"this is {kind or 'a special model'}; training needs a U-Net with 4 input channels")
    if width in (768, 1024):
        return "sd1" if width == 768 else "sd2"
    return "sd2" if unet.get("use_linear_projection") else "sd1"


def component_files(folder: Path, component: str) -> list[Path]:
    """Return the files with a component's weights: safetensors (plain, sharded, a variant) before pickles."""
    stem, pickle_stem = WEIGHT_STEMS[component], PICKLE_STEMS[component]
    if is_file(plain := folder / f"{stem}.safetensors"):
        return [plain]
    shards = sorted(folder.glob(f"{stem}-[0-9]*-of-[0-9]*.safetensors"))
    variants = [folder / f"{stem}.{variant}.safetensors" for variant in ("fp16", "bf16", "non_ema")]
    pickles = [folder / f"{pickle_stem}{variant}.bin" for variant in ("", ".fp16")]
    return shards or [file for file in [*variants, *pickles] if is_file(file)][:1]


def read_json(path: Path) -> dict[str, Any]:
    """Return the table in the JSON file `path`; a UserError if it is none."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise _error(path, "the file is far too large for a configuration")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _error(path, f"cannot be read: {error}; download the model again") from error
    if not isinstance(content, dict):
        raise _error(path, "is not a configuration; download the model again")
    return content


def _error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {safe_text(problem, limit=1000)}", ExitCode.MODEL)
