"""The settings that decide most, in the order in which they are asked; all others are in "all settings"."""

from dataclasses import dataclass

from dbtui.forms.form import Form
from trainer_core.config.words import Path

PREVIEW: Path = ("sample", "prompts", 0, "prompt")


@dataclass(frozen=True, slots=True)
class Matter:
    """One question: its words, and the setting that it asks for.

    Attributes:
        words: what the row is called.
        key: the setting.
        or_key: the setting that says the same in another unit, passes in the place of steps.
        begins_group: whether a little room is above it, where there is room.
        only_for: the value of method.train with which it is asked; "" for both.
    """

    words: str
    key: str
    or_key: str = ""
    begins_group: bool = False
    only_for: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that its row can edit."""
        return (self.key, self.or_key) if self.or_key else (self.key,)

    @property
    def path(self) -> Path:
        """Where the first of them is."""
        return PREVIEW if self.key == "sample.prompts.prompt" else path_of_key(self.key)


MATTERS = (
    Matter("how long", "train.max_steps", "train.epochs"),
    Matter("learning rate", "optimizer.learning_rate", begins_group=True),
    Matter("batch size", "train.batch_size"),
    Matter("resolution", "dataset.resolution", begins_group=True),
    Matter("buckets", "dataset.bucket.enable"),
    Matter("LoRA rank", "network.rank", only_for="lora"),
    Matter("text encoder", "text_encoder.train"),
    Matter("preview", "sample.prompts.prompt", begins_group=True),
    Matter("preview every", "sample.every_n_steps", "sample.every_n_epochs"),
    Matter("save every", "save.every_n_steps", "save.every_n_epochs", begins_group=True),
    Matter("save as", "save.format", only_for="full"),
    Matter("precision", "save.precision"),
    Matter("seed", "train.seed", begins_group=True),
)


def matters_of(form: Form) -> list[Matter]:
    """Return the questions that have an effect with the method that is chosen."""
    method = form.state(("method", "train")).value
    asked = (matter for matter in MATTERS if matter.only_for in ("", method))
    return [matter for matter in asked if matter.path == PREVIEW or not form.state(matter.path).unused]


def path_of_key(key: str) -> Path:
    """Return the path of a setting outside lists of tables."""
    return tuple(key.split("."))
