"""One line of what doctor found."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing.

    Attributes:
        section: the heading that it stands under.
        name: the thing.
        level: "problem" keeps a run from starting or from using the GPU that is there; "note" does not.
        text: what was found.
        action: what to do; empty where nothing needs to be done.
    """

    section: str
    name: str
    level: Level
    text: str
    action: str = ""
