"""What the command line says about the application."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Images = Literal["auto", "kitty", "sixel", "half", "off"]
IMAGES: tuple[Images, ...] = get_args(Images)


@dataclass(frozen=True, slots=True)
class AppOptions:
    """How the application is opened.

    Attributes:
        runs_dir: folder that holds the runs.
        mouse: whether the terminal tells of the mouse.
        images: how pictures are shown; auto finds out what the terminal can.
    """

    runs_dir: Path
    mouse: bool = True
    images: Images = "auto"
