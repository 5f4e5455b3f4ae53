"""The one message of all editors."""

from dataclasses import dataclass

from textual.message import Message

from trainer_core.config.words import Path


@dataclass
class Edited(Message):
    """The text of the setting at `path` became `text`."""

    path: Path
    text: str
