"""What lies in one folder: pictures, captions, folders, and what is left alone."""

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif"},
)

UNREAD_FORMATS = {
    ".jxl": "JPEG XL",
    ".jp2": "JPEG 2000",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".svg": "SVG",
    ".psd": "Photoshop",
    ".eps": "EPS",
    ".cr2": "camera raw",
    ".cr3": "camera raw",
    ".nef": "camera raw",
    ".arw": "camera raw",
    ".dng": "camera raw",
}
"""Suffixes of pictures that are not read, with the name of the format."""

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})


@dataclass(slots=True, kw_only=True)
class Listing:
    """The entries of one folder, each list sorted by name.

    Attributes:
        pictures: entries named like a picture, whatever they turn out to be (a folder named x.jpg too).
        unread: entries named like a picture in a format that is not read.
        folders: other folders.
        files: other files, captions among them.
        ignored: how many hidden and system entries were left out.
        planned: captions among `files` that are still to be written, with their text.
    """

    pictures: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    ignored: int = 0
    planned: dict[Path, str] = field(default_factory=dict)


def list_folder(folder: Path) -> Listing:
    """List `folder`, not what is below it.

    Raises:
        OSError: it cannot be read.
    """
    found = Listing()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            _sort_in(entry, folder / entry.name, found)
    return found


def stem_key(path: Path) -> str:
    """The name under which a picture and its caption meet: without suffix, one Unicode form."""
    return unicodedata.normalize("NFC", path.stem)


def counted(count: int, noun: str) -> str:
    """The number with its noun: 1 picture, 2 pictures."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def remark(what: str, paths: list[Path], noun: str = "picture") -> list[str]:
    """A remark on `paths`, or none if there are none."""
    return [f"{what}: {counted(len(paths), noun)} ({name_some(paths)})"] if paths else []


def name_some(paths: list[Path], limit: int = 4) -> str:
    """Name the first `limit` of `paths` and count the rest."""
    names = ", ".join(path.name for path in paths[:limit])
    return names if len(paths) <= limit else f"{names} and {len(paths) - limit} more"


def _sort_in(entry: os.DirEntry[str], path: Path, found: Listing) -> None:
    suffix = path.suffix.lower()
    if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
        found.ignored += 1
    elif suffix in PICTURE_SUFFIXES:
        found.pictures.append(path)
    elif _is_folder(entry):
        found.folders.append(path)
    elif suffix in UNREAD_FORMATS:
        found.unread.append(path)
    else:
        found.files.append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of symbolic links
        return False
