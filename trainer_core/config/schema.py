"""The whole configuration: every table, put together.

The settings are declared once, in `trainer_core/config/tables`; the TOML reader, `docs/settings.md`, the JSON
Schema for editors and the trainer all read those declarations, and no setting is named a second time anywhere. A
setting with `binding=True` belongs to one machine and never to a preset. Only settings that work are here.
"""

from typing import Final, Literal

from pydantic import Field

from trainer_core.config.declare import Table
from trainer_core.config.tables.about import Preset
from trainer_core.config.tables.concepts import Concept, Prior
from trainer_core.config.tables.dataset import Bucket, Dataset
from trainer_core.config.tables.learning import Optimizer, Scheduler, TextEncoder, Train
from trainer_core.config.tables.loss import Ema, Loss
from trainer_core.config.tables.memory import Memory
from trainer_core.config.tables.method import Method, Network
from trainer_core.config.tables.model import Model
from trainer_core.config.tables.output import Hub, Log, Prompt, Sample, Save
from trainer_core.config.tables.validation import Validation

__all__ = [
    "SCHEMA_VERSION",
    "Bucket",
    "Concept",
    "Config",
    "Dataset",
    "Ema",
    "Hub",
    "Log",
    "Loss",
    "Memory",
    "Method",
    "Model",
    "Network",
    "Optimizer",
    "Prior",
    "Prompt",
    "Sample",
    "Save",
    "Scheduler",
    "TextEncoder",
    "Train",
    "Validation",
]

SCHEMA_VERSION: Final = 1


class Config(Table):
    """A whole file: a preset, or a run file, which is a preset plus the bindings of one machine."""

    schema_version: Literal[1] = Field(SCHEMA_VERSION, alias="schema", description="Version of this schema.")
    preset: Preset = Field(default_factory=Preset)
    method: Method = Field(default_factory=Method)
    model: Model = Field(default_factory=Model)
    dataset: Dataset = Field(default_factory=Dataset)
    concept: list[Concept] = Field(default_factory=list, max_length=64)
    prior: Prior = Field(default_factory=Prior)
    network: Network = Field(default_factory=Network)
    text_encoder: TextEncoder = Field(default_factory=TextEncoder)
    optimizer: Optimizer = Field(default_factory=Optimizer)
    scheduler: Scheduler = Field(default_factory=Scheduler)
    loss: Loss = Field(default_factory=Loss)
    ema: Ema = Field(default_factory=Ema)
    train: Train = Field(default_factory=Train)
    memory: Memory = Field(default_factory=Memory)
    sample: Sample = Field(default_factory=Sample)
    save: Save = Field(default_factory=Save)
    validation: Validation = Field(default_factory=Validation)
    log: Log = Field(default_factory=Log)
    hub: Hub = Field(default_factory=Hub)
