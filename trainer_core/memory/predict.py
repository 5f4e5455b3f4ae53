"""Predicts the memory of a run from the table, at once. No torch."""

from trainer_core.config.schema import Config
from trainer_core.data.dataset import Size
from trainer_core.memory.peak import Phase
from trainer_core.memory.prediction import Prediction
from trainer_core.memory.row import UNIT, Row, row_of
from trainer_core.memory.several import brought, of_one_gpu
from trainer_core.memory.several import notes as notes_of_several
from trainer_core.memory.table import Pass, Table, shipped_table
from trainer_core.models.lora.sizes import NUMBERS_PER_RANK
from trainer_core.models.sizes import STREAMED, TEXT_NUMBERS
from trainer_core.models.sniff import FamilyName

_LAST_SEGMENT = 0.6
"""Share of a checkpointed pass's activations that is still there when all gradients of the U-Net are: what its
first blocks computed again. Rehearsed: 0.42 to 0.6. A text encoder that learns gets its gradients later."""
_AVERAGE_BYTES = 4
"""EMA keeps each trained number in float32."""


def predict(config: Config, family: FamilyName, size: Size | None = None, *, gpus: int = 1) -> Prediction | None:
    """Return the peak of each phase; None where only a rehearsal can tell (`dbtui plan --exact`).

    `size` is that of the largest bucket; the resolution if it is not given. Of several GPUs it is one's.
    """
    config = of_one_gpu(config, gpus)
    row, table = row_of(config, family), shipped_table()
    passes = table.passes(row)
    update = table.update(row, config.optimizer.type)
    is_other = config.memory.attention == "sliced" or config.memory.stream_activations
    if passes is None or update is None or is_other:
        return None
    return _From(config, row, table, passes, update, size or config.dataset.resolution, gpus).prediction()


class _From:
    """One configuration's way through the table."""

    def __init__(
        self,
        config: Config,
        row: Row,
        table: Table,
        passes: Pass,
        update: tuple[float, float],
        size: Size,
        gpus: int,
    ) -> None:
        self.config = config
        self.row = row
        self.table = table
        self.passes = passes
        self.gpus = gpus
        self.picture = size[0] * size[1] / UNIT
        self.units = config.train.batch_size * self.picture
        numbers = _trained_numbers(config, row, passes)
        self.gradients = passes.gradients * numbers / passes.numbers
        self.weights = passes.weights + self.gradients - passes.gradients
        if row.train == "lora" and not config.text_encoder.train:
            self.weights -= self._text_weights()
        if config.memory.stream_weights:
            self.weights -= self._streamed()
        self.less = passes.weights - self.weights
        self.state, self.temporaries = (each * numbers for each in update)
        self.brought = 0.0
        if config.memory.stream_state:
            width = 2 if row.precision == "sixteen" else 4
            self.state, self.brought = 0.0, self.state / numbers * passes.largest / width
            self.temporaries += self.brought
        average = _AVERAGE_BYTES * numbers if config.ema.enable else 0
        self.together = None
        if config.memory.fsdp and gpus > 1:
            width = 2 if row.precision == "sixteen" else 4
            self.together = brought(config, row.family, numbers, width)
            self.weights -= self.together.whole * (1 - 1 / gpus)
            self.less = passes.weights - self.weights
            self.gradients, self.state, self.temporaries, average = (
                each / gpus for each in (self.gradients, self.state, self.temporaries, average)
            )
        is_cached = config.dataset.cache_latents != "off"
        self.kept = self.state + average + self._kept_text_encoder() + (0 if is_cached else table.cache(0.0))

    def prediction(self) -> Prediction:
        """Return all phases."""
        phases: dict[Phase, float] = {}
        if self.config.dataset.cache_latents != "off":
            phases["cache"] = self.table.cache(self.picture)
        resident = self.weights + self.kept
        phases["passes"] = self._passes()
        if not self.config.memory.fused_backward:
            phases["update"] = resident + self.gradients + self.temporaries
        if self.config.sample.prompts:
            phases["sample"] = resident + self._sample() + (self.together.whole if self.together else 0)
        phases["save"] = resident + self.passes.largest
        rounded = {phase: round(size) for phase, size in phases.items()}
        return Prediction(rounded, is_exact=False, notes=tuple(self._notes()), gpus=self.gpus)

    def _passes(self) -> float:
        passes, between = self.passes, self._between_matrices()
        apart = passes.apart(self.units) - self.less + between
        if self.config.memory.fused_backward:
            peak = apart + self.brought + (2 * passes.largest if self.row.precision == "sixteen" else 0)
        else:
            missing = passes.gradients - self.gradients
            peak = max(apart, passes.total(self.units) - self.less - missing + between)
        if self.row.checkpointing and not self.config.text_encoder.train and not self.config.memory.fused_backward:
            activations = passes.apart(self.units) - passes.weights
            peak = max(peak, self.weights + self.gradients + _LAST_SEGMENT * activations)
        if self.config.train.gradient_accumulation > 1:
            peak = max(peak, apart + self.gradients)
        if self.config.dataset.cache_latents == "off":
            peak = max(peak, self.weights + self.table.cache(self.units) - self.table.cache(0.0))
        return peak + self.kept + (self.together.passes if self.together else 0)

    def _between_matrices(self) -> float:
        """Return what a LoRA of other ranks keeps for the way back between its matrices, unless checkpointed."""
        network = self.config.network
        usual = self.table.passes(Row("sd1", "lora", "mixed", False))
        if self.row.train != "lora" or self.row.checkpointing or network.init_from or usual is None:
            return 0.0
        found = 0.0
        for name, more, measured in (("rank", network.rank - 16, 128 - 16), ("conv_rank", network.conv_rank, 16)):
            other = self.table.other_rank(name)
            grown = other.aparts[0] - usual.aparts[0] - (other.weights - usual.weights)
            found += grown * self.units * more / measured
        return found

    def _kept_text_encoder(self) -> int:
        """Return its weights where they stay on the device, untrained, because captions vary."""
        dataset = self.config.dataset
        varies = dataset.shuffle_caption or dataset.token_warmup_steps or dataset.tag_dropout_rate
        if self.config.text_encoder.train or not (varies or dataset.wildcard or dataset.cache_text is False):
            return 0
        return self._text_weights()

    def _text_weights(self) -> int:
        return TEXT_NUMBERS[self.row.family] * self._base_width()

    def _base_width(self) -> int:
        """Return the bytes of a number of the model's own weights."""
        return 1 if self.row.base_dtype != "same" else 2 if self.row.base == "sixteen" else 4

    def _streamed(self) -> int:
        """Return how much less of the frozen weights is on the device: all but two at a time of each part."""
        has_text, each = self.config.text_encoder.train, STREAMED[self.row.family]
        parts = [each["unet"], each["text_encoder"]] if has_text else [each["unet"]]
        return sum(numbers - 2 * largest for numbers, largest in parts) * self._base_width()

    def _sample(self) -> float:
        width, height = self.config.dataset.resolution
        pixels = max((each.width or width) * (each.height or height) for each in self.config.sample.prompts)
        is_there = self.config.text_encoder.train or self._kept_text_encoder()
        return self.table.sample(self.row, pixels / UNIT) + (0 if is_there else self._text_weights())

    def _notes(self) -> list[str]:
        notes = notes_of_several(self.config, self.gpus)
        if self.config.text_encoder.max_token_length > 75 and self.config.text_encoder.train:
            notes.append("more than 75 tokens of a caption need a little more")
        if self.config.network.init_from is not None:
            notes.append("the LoRA to go on from is taken for one of rank 16")
        return notes


def _trained_numbers(config: Config, row: Row, passes: Pass) -> float:
    """Return how many numbers are trained; a LoRA to go on from counts as one of rank 16."""
    network, has_text = config.network, config.text_encoder.train
    if row.train == "full":
        return passes.numbers - (0 if has_text else TEXT_NUMBERS[row.family])
    each = NUMBERS_PER_RANK[row.family]
    rank, conv_rank = (16, 0) if network.init_from else (network.rank, network.conv_rank)
    narrow = each["unet with conv" if conv_rank else "unet"] + (each["text_encoder"] if has_text else 0)
    return narrow * rank + each["conv"] * conv_rank
