"""How many numbers a model holds, component by component, from headers alone; no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.models.header import FLOAT_DTYPES, read_header
from trainer_core.models.layout import SINGLE_FILE_PREFIXES, component_files
from trainer_core.models.sniff import ModelInfo

ELEMENTS = {
    "sd1": {"unet": 859_520_964, "text_encoder": 123_060_480, "vae": 83_653_863},
    "sd2": {"unet": 865_910_724, "text_encoder": 354_032_640, "vae": 83_653_863},
}
"""Of the published models; SD 2.x with the whole text encoder, as single files have it."""

TEXT_NUMBERS = {"sd1": 123_060_480, "sd2": 340_387_840}
"""Of the text encoder as it is loaded for a training: SD 2.x without its last block."""

STREAMED = {
    "sd1": {"unet": (857_006_080, 29_491_200), "text_encoder": (84_934_656, 2_359_296)},
    "sd2": {"unet": (863_395_840, 29_491_200), "text_encoder": (289_406_976, 4_194_304)},
}
"""Numbers in the weights that `memory.stream_weights` keeps in main memory, and in the largest of them."""

TOGETHER = {
    "sd1": {"unet": (2_074_564, 49_164_800), "text_encoder": (38_006_016, 7_087_872)},
    "sd2": {"unet": (2_074_564, 49_164_800), "text_encoder": (50_674_688, 12_596_224)},
}
"""Numbers that `memory.fsdp` brings together for a whole step, and in the largest block, while that computes."""

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "float": 4, "fp16": 2, "bf16": 2}


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The size of a model.

    Attributes:
        elements: numbers in each component.
        stored: bytes of each number as the start model stores it.
        exact: whether this was counted; an estimate is too large rather than too small.
    """

    elements: dict[str, int]
    stored: dict[str, float]
    exact: bool

    def bytes_in(self, precision: str | None, own: Mapping[Any, str] | None = None) -> int:
        """Bytes of the whole model in `precision` (a value of `save.precision`), None for the start model's.

        `own` gives components that have a precision of their own.
        """
        chosen = {component: (own or {}).get(component, precision) for component in self.elements}
        return int(
            sum(
                count * (BYTES[name] if (name := chosen[component]) else self.stored[component])
                for component, count in self.elements.items()
            )
        )


def model_size(model: ModelInfo) -> ModelSize | None:
    """Return the size of `model`; None where nothing is known of it (a Hub id)."""
    if model.path is None:
        return None
    counted = {component: sum(counts) for component, counts in _counts(model, model.path)}
    if not all(counted.get(component) for component in ("unet", "text_encoder")):
        return _estimate(model)
    has_vae = bool(counted["vae"])
    if not has_vae:
        counted["vae"] = ELEMENTS["sd1"]["vae"]  # it comes from model.vae
    stored: dict[str, float] = {
        component: BYTES.get(model.dtypes.get(component, "F32"), 4) for component in counted
    }
    return ModelSize(counted, stored, exact=has_vae)


def _counts(model: ModelInfo, path: Path) -> Iterator[tuple[str, Iterator[int]]]:
    """Yield each component that can be counted with the sizes of its tensors."""
    if model.format == "safetensors":
        header = read_header(path)
        for component, prefix in SINGLE_FILE_PREFIXES.items():
            yield (
                component,
                (
                    t.elements
                    for n, t in header.tensors.items()
                    if n.startswith(prefix) and t.dtype in FLOAT_DTYPES
                ),
            )
    elif model.format == "diffusers":
        for component in SINGLE_FILE_PREFIXES:
            files = component_files(path / component, component)
            if files and all(file.suffix == ".safetensors" for file in files):
                tensors = (tensor for file in files for tensor in read_header(file).tensors.values())
                yield component, (tensor.elements for tensor in tensors if tensor.dtype in FLOAT_DTYPES)


def _estimate(model: ModelInfo) -> ModelSize:
    """A pickle tells only its length: two bytes a number or more, and no more numbers than the largest family."""
    shares = ELEMENTS[model.family or "sd2"]
    most = sum(shares.values())
    elements = min(model.size_bytes / 2, most)
    stored = min(4.0, model.size_bytes / max(1.0, elements))
    return ModelSize(
        {component: int(elements * share / most) for component, share in shares.items()},
        dict.fromkeys(shares, stored),
        exact=False,
    )
