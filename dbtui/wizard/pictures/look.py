"""What a folder is, told from a look at the names in it: pictures, or folders named like "20_sls frog"."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer_core.data.folder_names import FolderName, WrongName, parse_folder_name
from trainer_core.data.folders import Sources, look_into
from trainer_core.data.listing import Listing, counted, list_folder
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

Kind = Literal["plain", "layout", "none"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen.

    Attributes:
        kind: a plain folder of pictures, one whose folders' names say what is in them, or neither.
        problem: why it is neither, with the next action.
        remark: what is worth saying although it can be used.
    """

    kind: Kind
    problem: str = ""
    remark: str = ""


def look_at(folder: str) -> Looked:
    """Look into the folder that was typed; only names are read."""
    path = from_home(folder)
    sources = Sources()
    listing = look_into(path, sources)
    if listing is None:
        return Looked("none", f"{safe_text(folder, 200)} {sources.faults[0].text}")
    names = [parse_folder_name(inside.name, "train") for inside in listing.folders]
    if any(isinstance(name, FolderName) for name in names):
        return Looked("layout")
    if listing.pictures or listing.unread:
        return Looked("plain", remark=_remark(path))
    if any(isinstance(name, WrongName) and name.attempt for name in names):
        return Looked("layout")
    return Looked("none", _nothing_in(folder, listing))


def _remark(path: Path) -> str:
    name = parse_folder_name(path.name, "train")
    if not isinstance(name, FolderName):
        return ""
    words = safe_text(f"{name.repeats}_{name.prompt}", 60)
    return f'its own name, "{words}", is not read; choose the folder that it lies in if it shall be'


def _nothing_in(folder: str, listing: Listing) -> str:
    for inside in listing.folders[:200]:
        if count := _pictures_in(inside):
            shown = safe_text(Path(folder) / inside.name, 200)
            return f"holds no pictures itself, but {counted(count, 'picture')} in a folder inside: choose {shown}"
    return f"{safe_text(folder, 200)} holds no pictures (PNG, JPEG, WebP, BMP, GIF, AVIF): choose another folder"


def _pictures_in(folder: Path) -> int:
    try:
        return len(list_folder(folder).pictures)
    except OSError:
        return 0
