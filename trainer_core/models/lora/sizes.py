"""How many numbers a LoRA holds, before it is made; no torch."""

from pathlib import Path

from trainer_core.config.schema import Config, Network
from trainer_core.errors import UserError
from trainer_core.models.lora.inspect import read_lora_header
from trainer_core.models.lora.places import Place
from trainer_core.models.lora.shapes import shapes_of, wanted_places
from trainer_core.models.sniff import ModelInfo

_LARGEST = "sd2"
NUMBERS_PER_RANK = {
    "sd1": {"unet": 423_936, "unet with conv": 506_816, "conv": 544_000, "text_encoder": 165_888},
    "sd2": {"unet": 432_128, "unet with conv": 515_008, "conv": 544_000, "text_encoder": 423_936},
}
"""Of the published models, where there is no header to count in: numbers for each rank of the Linear and 1x1
adapters, and of the 3x3 ones."""


def lora_numbers(config: Config, model: ModelInfo) -> int:
    """Return how many numbers the LoRA that `config` trains for `model` holds.

    Where no header tells the model's shapes they are those of the published models; 0 if the LoRA to go on from
    cannot be read, which is told elsewhere.
    """
    network, text_encoder = config.network, config.text_encoder.train
    if network.init_from is not None:
        try:
            return read_lora_header(Path(network.init_from)).numbers
        except UserError:
            return 0
    if shapes := shapes_of(model):
        places = wanted_places(shapes, conv=network.conv_rank > 0, text_encoder=text_encoder)
        return sum(pair_size(shapes[place], _rank(place, network)) for place in places)
    each = NUMBERS_PER_RANK[model.family or _LARGEST]
    narrow = each["unet with conv" if network.conv_rank else "unet"] + (
        each["text_encoder"] if text_encoder else 0
    )
    return narrow * network.rank + each["conv"] * network.conv_rank


def pair_size(shape: tuple[int, ...], rank: int) -> int:
    """Return how many numbers the two matrices beside a weight of this shape hold."""
    out, *rest = shape
    inner = rank
    for side in rest:
        inner *= side
    return inner + rank * out


def _rank(place: Place, network: Network) -> int:
    return network.conv_rank if place.is_wide else network.rank
