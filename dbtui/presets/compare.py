"""What presets trade for memory, side by side: computed from their settings, not told by the presets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer_core.config.schema import Config
from trainer_core.data.listing import counted
from trainer_core.plan import DEFAULT_STEPS


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing in which presets differ.

    Attributes:
        word: what is given up by a preset that has less of it than another.
        label: heads the row.
        shown: how a preset stands, in a word or two.
        worth: the more, the better; what is equal here gives up nothing.
        always: whether it is told even where all are alike.
    """

    word: str
    label: str
    shown: Callable[[Config], str]
    worth: Callable[[Config], float]
    always: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One trait of several presets, in their order."""

    label: str
    cells: tuple[str, ...]


def compared(configs: Sequence[Config]) -> list[Row]:
    """Return the rows of the comparison: traits that differ, the important ones always, and what each gives up."""
    rows = [Row(trait.label, tuple(map(trait.shown, configs))) for trait in TRAITS if _is_told(trait, configs)]
    return [*rows, Row("gives up", tuple(", ".join(given_up(config, configs)) or "nothing" for config in configs))]


def given_up(config: Config, others: Sequence[Config]) -> list[str]:
    """Return in what `config` has less than the best of the others."""
    return [trait.word for trait in TRAITS if trait.worth(config) < max(map(trait.worth, (config, *others)))]


def _is_told(trait: Trait, configs: Sequence[Config]) -> bool:
    return trait.always or len(set(map(trait.shown, configs))) > 1


def _weights(config: Config) -> str:
    return "fp16" if config.memory.full_fp16 else "bf16" if config.memory.full_bf16 else "float32"


def _at_a_time(config: Config) -> str:
    pictures = counted(config.train.batch_size, "picture")
    rounds = config.train.gradient_accumulation
    return pictures if rounds == 1 else f"{pictures} x {rounds}"


def _steps(config: Config) -> str:
    epochs = config.train.epochs
    return f"{epochs} passes" if epochs else str(config.train.max_steps or DEFAULT_STEPS)


def _brakes(config: Config) -> list[str]:
    """What makes a step slower than it could be."""
    memory = config.memory
    found = {
        "computes twice": memory.gradient_checkpointing,
        "sliced": memory.attention == "sliced",
        "no 16 bit": memory.mixed_precision == "no",
    }
    return [words for words, is_so in found.items() if is_so]


def _resolution(config: Config) -> str:
    width, height = config.dataset.resolution
    return f"{width} x {height}"


def _convolutions(config: Config) -> bool:
    return config.method.train == "full" or config.network.conv_rank > 0


TRAITS = (
    Trait(
        "precision",
        "weights in",
        _weights,
        lambda config: float(_weights(config) == "float32"),
        always=True,
    ),
    Trait(
        "batch",
        "at a time",
        _at_a_time,
        lambda config: config.train.batch_size * config.train.gradient_accumulation,
        always=True,
    ),
    Trait("", "steps", _steps, lambda config: 0),
    Trait(
        "speed",
        "speed",
        lambda config: ", ".join(_brakes(config)) or "full",
        lambda config: -len(_brakes(config)),
        always=True,
    ),
    Trait(
        "text encoder",
        "text encoder",
        lambda config: "learns" if config.text_encoder.train else "stays",
        lambda config: float(config.text_encoder.train),
    ),
    Trait(
        "convolutions",
        "convolutions",
        lambda config: "learn" if _convolutions(config) else "stay",
        lambda config: float(_convolutions(config)),
    ),
    Trait(
        "resolution",
        "pictures",
        _resolution,
        lambda config: config.dataset.resolution[0] * config.dataset.resolution[1],
    ),
)
