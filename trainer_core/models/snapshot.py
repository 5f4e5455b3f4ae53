"""A model turned into the tensors and texts of the files to write; nothing touches the disk here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from trainer_core.errors import ExitCode, UserError
from trainer_core.models import modules
from trainer_core.models.configs import Config, read_configs
from trainer_core.models.family import COMPONENTS, Component, Family, as_stored
from trainer_core.models.layout import WEIGHT_STEMS
from trainer_core.models.model import StableDiffusion
from trainer_core.models.slots import EXTRAS_FILE
from trainer_core.models.tokenizer import EOS_TOKEN, Vocabulary

Form = Literal["safetensors", "ckpt", "diffusers"]
Precision = Literal["float", "fp16", "bf16"]
PRECISIONS = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
MODELSPEC_VERSION = "1.0.1"


@dataclass(slots=True)
class Snapshot:
    """What will be written.

    Attributes:
        form: one file of two kinds, or a folder.
        tensors: for each file (its path within the folder; "" for a single file) its tensors on the CPU. Those
            that were there already share their memory with the model.
        metadata: text for the header of the file, or of the U-Net's.
        configs: JSON tables of a folder, by component.
        yaml: text of the file beside a single file, None for none.
        pad_token: what a folder's tokenizer fills short texts with.
        words: that tokenizer's vocabulary, None for CLIP's own.
    """

    form: Form
    tensors: dict[str, dict[str, Tensor]]
    metadata: dict[str, str]
    configs: dict[str, Config] = field(default_factory=dict)
    yaml: str | None = None
    pad_token: str = EOS_TOKEN
    words: Vocabulary | None = None

    @property
    def bytes(self) -> int:
        """Size of all tensors."""
        return sum(tensor.nbytes for tensors in self.tensors.values() for tensor in tensors.values())


def take_snapshot(
    model: StableDiffusion,
    form: Form,
    precision: Precision | None,
    metadata: Mapping[str, str],
    own_precisions: Mapping[Component, Precision] | None = None,
) -> Snapshot:
    """Return the files' contents for `model`, which is neither moved nor changed.

    A component has the type of `own_precisions`, else of `precision`, else its source's. A UserError (exit code
    7) names a tensor whose values are not finite, in training or in the type chosen.
    """
    chosen = {component: (own_precisions or {}).get(component, precision) for component in COMPONENTS}
    dtypes = {part: PRECISIONS[name] if name else model.dtypes[part] for part, name in chosen.items()}
    parts = {component: _cast(model, component, dtypes[component]) for component in COMPONENTS}
    kept = {name: _cast_kept(name, tensor, chosen["text_encoder"]) for name, tensor in model.kept.items()}
    facts = {**_facts(model), **metadata, "format": "pt"}
    if form == "diffusers":
        files = {f"{part}/{WEIGHT_STEMS[part]}.safetensors": tensors for part, tensors in parts.items()}
        if kept:
            files[EXTRAS_FILE] = kept
        configs = _configs(model, dtypes["text_encoder"])
        words = model.family.text_form.tokenizer.words
        return Snapshot(form, files, facts, configs, pad_token=model.family.pad_token, words=words)
    tensors = single_file_tensors(model.family, parts, kept)
    return Snapshot(form, {"": tensors}, facts, yaml=model.family.single_file_yaml(model.prediction))


def _cast(model: StableDiffusion, component: Component, dtype: torch.dtype) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in modules.tensors_of(component, model.module(component)).items():
        cast = tensor.detach().to(device="cpu", dtype=dtype).contiguous()
        _check_finite(name, cast, dtype)
        tensors[name] = cast
    return tensors


def _cast_kept(name: str, tensor: Tensor, precision: Precision | None) -> Tensor:
    """The unused parts of the text encoder follow it; the noise schedule and counters stay as they were."""
    if precision is None or not tensor.is_floating_point() or not name.startswith("cond_stage_model."):
        return tensor
    return tensor.to(PRECISIONS[precision])


def _check_finite(name: str, tensor: Tensor, dtype: torch.dtype) -> None:
    low, high = torch.aminmax(tensor)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError(
            f"{name} holds values that are not finite in {str(dtype).removeprefix('torch.')}; the training "
            "diverged, or save.precision is too narrow: use float",
            ExitCode.NON_FINITE,
        )


def single_file_tensors(
    family: Family, parts: Mapping[Component, Mapping[str, Tensor]], kept: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return a single file's tensors by name, from the modules' tensors by Diffusers name and those `kept`."""
    tensors: dict[str, Tensor] = {}
    fused: dict[str, dict[int, Tensor]] = {}
    for component in COMPONENTS:
        for name, tensor in parts[component].items():
            piece = family.piece(component, name)
            if piece.third is None:
                tensors[piece.name] = as_stored(component, name, tensor)
            else:
                fused.setdefault(piece.name, {})[piece.third] = tensor
    tensors.update({name: torch.cat([thirds[third] for third in range(3)]) for name, thirds in fused.items()})
    return {**family.extra_tensors(tensors, dict(kept)), **kept, **tensors}


def _facts(model: StableDiffusion) -> dict[str, str]:
    """Return what a reader needs to know the model again, in modelspec's terms."""
    side = model.family.resolution(model.prediction)
    return {
        "modelspec.sai_model_spec": MODELSPEC_VERSION,
        "modelspec.architecture": model.family.architecture(model.prediction),
        "modelspec.implementation": "diffusers",
        "modelspec.prediction_type": model.prediction,
        "modelspec.resolution": f"{side}x{side}",
    }


def _configs(model: StableDiffusion, text_dtype: torch.dtype) -> dict[str, Config]:
    index = read_configs(model.family.config_name(model.prediction))["index"]
    index["scheduler"] = ["diffusers", model.scheduler_config["_class_name"]]
    text_encoder = _plain(model.text_encoder.config.to_dict())  # type: ignore[union-attr, operator]
    text_encoder.pop("torch_dtype", None)
    text_encoder |= {"architectures": ["CLIPTextModel"], "dtype": str(text_dtype).removeprefix("torch.")}
    return {
        "unet": _plain(model.unet.config),
        "vae": _plain(model.vae.config),
        "text_encoder": text_encoder,
        "scheduler": dict(model.scheduler_config),
        "index": index,
    }


def _plain(config: Any) -> Config:
    """Return a configuration without its library's private notes (such as the path it was read from)."""
    public = {"_class_name", "_diffusers_version"}
    return {key: value for key, value in dict(config).items() if not key.startswith("_") or key in public}
