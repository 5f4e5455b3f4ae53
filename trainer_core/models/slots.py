"""Where each tensor of the three modules lies in a source, found from names and shapes before anything is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.family import UNET_PREFIX, VAE_PREFIX, Component, Family
from trainer_core.models.header import Header, TensorInfo, read_header
from trainer_core.models.keymap import is_vae_projection, modern_vae_name, unet_keys, vae_keys
from trainer_core.models.keymap_clip import (
    OPEN_CLIP_PREFIX,
    clip_to_diffusers,
    is_position_ids,
    open_clip_to_diffusers,
    with_text_model,
)
from trainer_core.models.layout import DiffusersFolder
from trainer_core.text import safe_text

EMA_PREFIX = "model_ema."
EXTRAS_FILE = "single_file_extras.safetensors"  # in a Diffusers folder: what only a single file holds


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor of a module in a file.

    Attributes:
        path: the safetensors file.
        name: the tensor's name there.
        dtype: its storage type.
        shape: its shape in the module.
        third: which third of the stored rows it is, None for all of them.
    """

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    third: int | None = None


Slots = dict[str, Slot]  # by the tensor's Diffusers name (the text encoder's with `text_model.`)


@dataclass(slots=True)
class Source:
    """Every tensor of a source: those of the modules, those kept beside them, and how many are left behind."""

    unet: Slots = field(default_factory=dict)
    vae: Slots = field(default_factory=dict)
    text_encoder: Slots = field(default_factory=dict)
    kept: Slots = field(default_factory=dict)
    dropped_ema: int = 0

    def of(self, component: Component) -> Slots:
        """Return the slots of one module."""
        return {"unet": self.unet, "vae": self.vae, "text_encoder": self.text_encoder}[component]


def single_file_source(header: Header, family: Family, *, ema: bool = False) -> Source:
    """Return where the modules' tensors lie in a single file; with `ema`, the U-Net's averaged ones."""
    source = Source()
    layers = family.text_layers(header.tensors)
    unknown = []
    for name, info in header.tensors.items():
        if name.startswith(EMA_PREFIX):
            source.dropped_ema += 1
        elif name.startswith(UNET_PREFIX):
            if target := unet_keys().to_diffusers(name.removeprefix(UNET_PREFIX)):
                source.unet[target] = _slot(header, name, info)
            else:
                unknown.append(name)
        elif target := _vae_name(name.removeprefix(VAE_PREFIX)) if name.startswith(VAE_PREFIX) else None:
            source.vae[target] = _vae_slot(header, name, target, info)
        elif targets := _text_names(name, layers):
            for third, target in enumerate(targets):
                source.text_encoder[target] = _slot(header, name, info, third if len(targets) > 1 else None)
        elif not is_position_ids(name):
            source.kept[name] = _slot(header, name, info)
    if unknown:
        raise _unknown(header.path, "U-Net", unknown)
    if ema:
        source.unet = {target: _ema_slot(header, slot) for target, slot in source.unet.items()}
        source.dropped_ema = 0
    return source


def folder_source(folder: DiffusersFolder) -> Source:
    """Return where the modules' tensors lie in a Diffusers folder whose weights are all safetensors."""
    extras = folder.path / EXTRAS_FILE
    source = Source()
    for path in folder.weights["unet"]:
        source.unet.update({name: _slot(h, name, info) for h, name, info in _entries(path)})
    source.vae = vae_source(folder.weights["vae"])
    for path in folder.weights["text_encoder"]:
        entries = [(h, name, info) for h, name, info in _entries(path) if not is_position_ids(name)]
        source.text_encoder.update({with_text_model(name): _slot(h, name, info) for h, name, info in entries})
    if extras.is_file():
        source.kept = {name: _slot(h, name, info) for h, name, info in _entries(extras)}
    return source


def vae_source(paths: Iterable[Path]) -> Slots:
    """Return where a VAE's tensors lie, in a model or VAE file of either layout."""
    slots: Slots = {}
    for path in paths:
        entries = _entries(path)
        prefixed = any(name.startswith(VAE_PREFIX) for _, name, _ in entries)
        for header, name, info in entries:
            if prefixed and not name.startswith(VAE_PREFIX):
                continue
            if target := _vae_name(name.removeprefix(VAE_PREFIX)):
                slots[target] = _vae_slot(header, name, target, info)
    return slots


def _entries(path: Path) -> list[tuple[Header, str, TensorInfo]]:
    header = read_header(path)
    return [(header, name, info) for name, info in header.tensors.items()]


def _vae_name(name: str) -> str | None:
    """Return Diffusers' name of a VAE tensor named in either layout."""
    if target := vae_keys().to_diffusers(name):
        return target
    modern = modern_vae_name(name)
    return modern if vae_keys().to_ldm(modern) else None


def _text_names(name: str, layers: int) -> list[str]:
    """Return the text encoder's names for a single file's `name`; none beyond its used layers."""
    if name.startswith(OPEN_CLIP_PREFIX):
        targets = open_clip_to_diffusers(name)
    else:
        targets = [target] if (target := clip_to_diffusers(name)) else []
    number = targets[0].removeprefix("text_model.encoder.layers.").partition(".")[0] if targets else ""
    return [] if number.isdecimal() and int(number) >= layers else targets


def _slot(header: Header, name: str, info: TensorInfo, third: int | None = None) -> Slot:
    shape = info.shape
    if third is not None:
        shape = (shape[0] // 3, *shape[1:]) if shape and shape[0] % 3 == 0 else (0,)
    return Slot(header.path, name, info.dtype, shape, third)


def _vae_slot(header: Header, name: str, target: str, info: TensorInfo) -> Slot:
    """The attention's projections are 1x1 (or length-1) convolutions in single files, matrices in Diffusers."""
    slot = _slot(header, name, info)
    return replace(slot, shape=slot.shape[:2]) if is_vae_projection(target) else slot


def _ema_slot(header: Header, slot: Slot) -> Slot:
    name = EMA_PREFIX + slot.name.removeprefix("model.").replace(".", "")
    if name not in header.tensors:
        raise UserError(
            f"{safe_text(header.path)}: it holds no averaged (EMA) weights; leave --ema out", ExitCode.MODEL
        )
    return _slot(header, name, header.tensors[name])


def _unknown(path: Path, part: str, names: list[str]) -> UserError:
    return UserError(
        f"{safe_text(path)}: its {part} has {len(names)} tensors that SD 1.x and 2.x do not have, such as "
        f"{safe_text(names[0])}; this kind of model cannot be trained",
        ExitCode.MODEL,
    )
