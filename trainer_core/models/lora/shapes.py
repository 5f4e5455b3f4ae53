"""The shapes of the weights that get an adapter, from a model's header. No torch."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from trainer_core.errors import UserError
from trainer_core.models.family import Family, family_named
from trainer_core.models.header import Header, read_header
from trainer_core.models.layout import component_files
from trainer_core.models.lora.places import Part, Place, text_encoder_places, unet_places
from trainer_core.models.sniff import ModelInfo

Shapes = Mapping[Place, tuple[int, ...]]
"""Shape of the weight at each place: [out, in] or [out, in, k, k]."""


def shapes_of(model: ModelInfo) -> dict[Place, tuple[int, ...]] | None:
    """Return the shape of the weight at every place of `model`; None where its header does not tell them all."""
    if model.path is None or model.family is None:
        return None
    try:
        if model.format == "safetensors":
            found = _in_file(family_named(model.family), read_header(model.path))
        elif model.format == "diffusers":
            found = _in_folder(model.path)
        else:
            return None
    except UserError:
        return None  # what is wrong with the model is told elsewhere
    found = {place: shape for place, shape in found.items() if len(shape) >= 2}  # others are no weights of ours
    needed = [*unet_places(conv=True), *text_encoder_places(1)]
    return found if all(place in found or place.is_optional for place in needed) else None


def text_layers(shapes: Iterable[Place]) -> int:
    """Return how many layers of a text encoder there are among the places."""
    return len({place.path.split(".")[3] for place in shapes if place.part == "text_encoder"})


def wanted_places(shapes: Shapes, *, conv: bool, text_encoder: bool) -> list[Place]:
    """Return the places of a LoRA for a model with these shapes."""
    places = unet_places(conv=conv) + (text_encoder_places(text_layers(shapes)) if text_encoder else [])
    return [place for place in places if place in shapes or not place.is_optional]


def _in_file(family: Family, header: Header) -> dict[Place, tuple[int, ...]]:
    shapes = {}
    for place in _places(family.text_layers(header.tensors)):
        piece = family.piece(place.part, f"{place.path}.weight")
        if info := header.tensors.get(piece.name):
            rows, rest = info.shape[:1], info.shape[1:]
            shapes[place] = info.shape if piece.third is None else (*(row // 3 for row in rows), *rest)
    return shapes


def _in_folder(folder: Path) -> dict[Place, tuple[int, ...]]:
    parts: tuple[Part, ...] = ("unet", "text_encoder")
    found = {}
    for part in parts:
        files = component_files(folder / part, part)
        if not files or any(file.suffix != ".safetensors" for file in files):
            return {}
        tensors = {name: info.shape for file in files for name, info in read_header(file).tensors.items()}
        found[part] = {name.removeprefix("text_model."): shape for name, shape in tensors.items()}
    layers = {name.split(".")[2] for name in found["text_encoder"] if name.startswith("encoder.layers.")}
    named = ((place, f"{place.path.removeprefix('text_model.')}.weight") for place in _places(len(layers)))
    return {place: found[place.part][name] for place, name in named if name in found[place.part]}


def _places(layers: int) -> list[Place]:
    return [*unet_places(conv=True), *text_encoder_places(layers)]
