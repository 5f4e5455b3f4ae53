"""What a LoRA file is, from its header alone, and whether it fits a model. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.data.listing import counted
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.family import Family, Prediction, family_named
from trainer_core.models.header import FLOAT_DTYPES, Header, TensorInfo, read_header
from trainer_core.models.lora.places import PREFIXES, Part, unet_places
from trainer_core.models.lora.shapes import Shapes, shapes_of, wanted_places
from trainer_core.models.sniff import GUESS, ModelInfo
from trainer_core.on_disk import is_file, why_not_there
from trainer_core.text import safe_text

_BASE = "ss_base_model_version"
DOWN, UP, ALPHA = ".lora_down.weight", ".lora_up.weight", ".alpha"

# Other kinds of small files, told by a piece of a tensor's name.
_OTHER_KINDS = (
    ("lora_te1_", "a LoRA for SDXL"),
    ("lora_unet_input_blocks_", "a LoRA for SDXL"),
    ("lora_unet_double_blocks_", "a LoRA for Flux"),
    (".lora_mid.", "a LyCORIS file (LoCon with Tucker decomposition)"),
    (".dora_scale", "a DoRA file"),
    (".hada_w1", "a LyCORIS file (LoHa)"),
    (".lokr_w", "a LyCORIS file (LoKr)"),
    (".lora_A.", "a LoRA with PEFT's names; convert it to kohya's first"),
    (".lora.down.", "a LoRA with Diffusers' old names; convert it to kohya's first"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two matrices of one adapter as the header describes them."""

    down: TensorInfo
    up: TensorInfo

    @property
    def rank(self) -> int:
        """The rank."""
        return self.down.shape[0]


@dataclass(frozen=True, slots=True)
class LoraInfo:
    """A LoRA file in kohya's names.

    Attributes:
        path: the file.
        pairs: its adapters by the name without `.lora_down.weight`.
        metadata: what its header says.
    """

    path: Path
    pairs: dict[str, Pair]
    metadata: dict[str, str]

    def has(self, part: Part) -> bool:
        """Tell whether there are adapters for this part of the model."""
        return any(key.startswith(PREFIXES[part]) for key in self.pairs)

    @property
    def has_conv(self) -> bool:
        """Tell whether there are adapters in the residual blocks."""
        keys = {place.key for place in unet_places(conv=True)} - {place.key for place in unet_places(conv=False)}
        return not keys.isdisjoint(self.pairs)

    @property
    def numbers(self) -> int:
        """How many numbers its matrices hold."""
        return sum(pair.down.elements + pair.up.elements for pair in self.pairs.values())


def read_lora_header(path: Path) -> LoraInfo:
    """Return what the LoRA file `path` holds; a UserError (exit code 4) if it is none, or is damaged."""
    if not is_file(path):
        raise _error(path, why_not_there(path))
    header = read_header(path)
    for mark, kind in _OTHER_KINDS:
        if any(mark in name for name in header.tensors):
            raise _error(path, f"this is {kind}; a LoRA with kohya's names for SD 1.x or SD 2.x is needed")
    keys = [name.removesuffix(DOWN) for name in header.tensors if name.endswith(DOWN)]
    if not any(key.startswith(PREFIXES["unet"]) for key in keys):
        raise _error(path, "this is not a LoRA for a U-Net (it has no lora_unet_...lora_down.weight)")
    left = set(header.tensors) - {key + ending for key in keys for ending in (DOWN, UP, ALPHA)}
    if left:
        raise _error(path, f"{_some(left)} belongs to no adapter; this is not a whole LoRA")
    return LoraInfo(path, {key: _pair(header, key) for key in keys}, header.metadata)


def check_lora_file(path: Path, model: ModelInfo | None, *, text_encoder: bool | None = None) -> list[UserError]:
    """Return what keeps the LoRA file `path` from being used with `model`, as far as headers tell.

    `text_encoder`: see `why_unfit`.
    """
    try:
        info = read_lora_header(path)
    except UserError as error:
        return [error]
    problem = _text_encoder_problem(info, text_encoder)
    if model and model.family and model.prediction and model.prediction_from != GUESS:
        problem = problem or why_other_kind(info, family_named(model.family), model.prediction)
    if model and (shapes := shapes_of(model)):
        problem = problem or why_unfit(info, shapes)
    return [_error(path, problem)] if problem else []


def why_other_kind(info: LoraInfo, family: Family, prediction: Prediction) -> str | None:
    """Return why the LoRA, by what it says of itself, does not belong to such a model; None if nothing says so.

    Shapes alone do not tell what a model predicts.
    """
    said, wanted = info.metadata.get(_BASE), family.kohya_facts(prediction)[_BASE]
    if said is None or said == wanted:
        return None
    return (
        f"it was made for another kind of model ({_BASE} is {safe_text(said, 40)}, and this model is {wanted});"
        " choose the model that it was made for, or another file"
    )


def why_unfit(info: LoraInfo, shapes: Shapes, *, text_encoder: bool | None = None) -> str | None:
    """Return why the LoRA does not belong to a model whose weights have these shapes; None if it does.

    `text_encoder` tells whether adapters for the text encoder must be there (True), must not (False), or may.
    """
    if problem := _text_encoder_problem(info, text_encoder):
        return problem
    wanted = wanted_places(shapes, conv=info.has_conv, text_encoder=info.has("text_encoder"))
    places = {place.key: place for place in wanted}
    wrong = {key for key, pair in info.pairs.items() if key not in places or not _fits(pair, shapes[places[key]])}
    missing = set(places) - set(info.pairs)
    if wrong:
        return (
            f"it was made for another kind of model ({_some(wrong)} does not fit); choose the model that it was "
            "made for, or another file"
        )
    if missing:
        return (
            f"adapters are missing at {len(missing)} of {counted(len(places), 'place')} ({_some(missing)}); only "
            "a LoRA with all of them can be used"
        )
    return None


def _text_encoder_problem(info: LoraInfo, wanted: bool | None) -> str | None:
    has = info.has("text_encoder")
    if wanted and not has:
        return "it has no adapters for the text encoder; set text_encoder.train = false, or take another file"
    if wanted is False and has:
        return "it has adapters for the text encoder too; set text_encoder.train = true, or take another file"
    return None


def _pair(header: Header, key: str) -> Pair:
    down, up, alpha = (header.tensors.get(key + ending) for ending in (DOWN, UP, ALPHA))
    if down is None or up is None:
        raise _error(header.path, f"{safe_text(key)} has only one of its two matrices; download or copy it again")
    is_matrix = min(len(down.shape), len(up.shape)) >= 2 and {down.dtype, up.dtype} <= FLOAT_DTYPES
    if not is_matrix or down.shape[0] != up.shape[1] or not down.shape[0] or (alpha and alpha.elements != 1):
        raise _error(header.path, f"the matrices of {safe_text(key)} do not belong together; take another file")
    return Pair(down, up)


def _fits(pair: Pair, shape: tuple[int, ...]) -> bool:
    """Compare an adapter with the weight beside it; a 1x1 convolution and a Linear are the same matrix."""
    out, *inner = shape
    down, up = pair.down.shape, pair.up.shape
    same = _without_ones(down[1:]) == _without_ones(inner)
    return same and up[0] == out and set(up[2:]) <= {1}


def _without_ones(kernel: Sequence[int]) -> list[int]:
    """Return [in] of [in] and [in, 1, 1], and [in, 3, 3] as it is."""
    return [*kernel[:1], *(side for side in kernel[1:] if side != 1)]


def _some(names: set[str]) -> str:
    return f"{safe_text(min(names))}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"


def _error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
