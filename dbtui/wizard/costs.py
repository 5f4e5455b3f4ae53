"""What a whole model or a LoRA costs: predicted of the shipped presets, and the sizes of the published models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer_core.models.sniff import FamilyName


@dataclass(frozen=True, slots=True)
class Costs:
    """From the least to the most that the shipped presets of one kind take.

    Attributes:
        vram_gb: memory that a training is predicted to need free on the graphics card; by the table, so at once.
        result_bytes: the file that comes out.
        states_bytes: all checkpoints that exist at one time.
        pictures: how many a training shows to the model (steps x batch).
        at_once: how many of them a step takes.
    """

    vram_gb: tuple[float, float]
    result_bytes: tuple[int, int]
    states_bytes: tuple[int, int]
    pictures: tuple[int, int]
    at_once: tuple[int, int]

    def lines(self) -> tuple[str, str, str]:
        """Return it in words: memory, disk, time."""
        from trainer_core.disk import gigabytes

        return (
            f"GPU   {_between(*(f'{size:.1f} GB' for size in self.vram_gb))}",
            f"disk  {gigabytes(self.result_bytes[1])}, {gigabytes(self.states_bytes[1])} meanwhile",
            f"time  {_between(*(f'{count:,} pictures' for count in self.pictures))}, "
            f"{'-'.join(map(str, dict.fromkeys(self.at_once)))} a step",
        )


def costs(train: str, family: "FamilyName" = "sd1") -> Costs | None:
    """Return what training a whole model ("full") or a "lora" of that family costs; None if no preset does."""
    from dbtui.presets.inspect import inspect
    from dbtui.presets.library import shipped
    from dbtui.presets.offer import needed_gb
    from trainer_core.disk import CHECKPOINTS, checkpoint_bytes, result_bytes
    from trainer_core.models.sizes import ELEMENTS, ModelSize
    from trainer_core.models.sniff import ModelInfo

    model = ModelInfo("", None, "safetensors", family, None, "")
    half = ModelSize(ELEMENTS[family], dict.fromkeys(ELEMENTS[family], 2.0), exact=False)
    whole = ModelSize(ELEMENTS[family], dict.fromkeys(ELEMENTS[family], 4.0), exact=False)
    inspected = (inspect(preset).config for preset in shipped())
    configs = [each for each in inspected if each and (each.method.train, each.model.family) == (train, family)]
    if not configs:
        return None
    needed = [needed_gb(config, family) or config.preset.min_vram_gb or 0.0 for config in configs]
    return Costs(
        vram_gb=(min(needed), max(needed)),
        result_bytes=_range(result_bytes(config, model, size) for config in configs for size in (half, whole)),
        states_bytes=_range(checkpoint_bytes(config, model, half) * CHECKPOINTS for config in configs),
        pictures=_range((config.train.max_steps or 0) * config.train.batch_size for config in configs),
        at_once=_range(config.train.batch_size for config in configs),
    )


def _range(values: Iterable[float]) -> tuple[int, int]:
    listed = [int(value) for value in values]
    return min(listed), max(listed)


def _between(low: str, high: str) -> str:
    """Return "2.1 to 4.3 GB" of "2.1 GB" and "4.3 GB"."""
    if low == high:
        return low
    unit = high.partition(" ")[1:]
    return f"{low.removesuffix(''.join(unit))} to {high}"
