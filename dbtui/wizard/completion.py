"""What a path that is being typed may become: the content of its folder, and the names that go on."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dbtui.natural import natural
from trainer_core.on_disk import from_home
from trainer_core.text import is_plain

MOST_ENTRIES = 20_000
"""A folder is read so far; beyond that a name is typed, not chosen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder that can be chosen."""

    name: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder.

    Attributes:
        entries: in the order in which people count: 2 before 10.
        is_cut: whether there is more than was read.
        problem: why nothing can be seen; "" if it can.
    """

    entries: tuple[Entry, ...] = ()
    is_cut: bool = False
    problem: str = ""


def list_folder(folder: Path, suffixes: Collection[str] | None, most: int = MOST_ENTRIES) -> Listing:
    """Return the folders in `folder` and its files that end in one of `suffixes` (None: all files)."""
    found: list[Entry] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= most:
                    return Listing(_sorted(found), is_cut=True)
                is_folder = _leads_to_folder(entry)
                if is_folder or suffixes is None or _suffix(entry.name) in suffixes:
                    found.append(Entry(entry.name, is_folder))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Listing()  # it is still being typed
    except OSError as error:
        return Listing(problem=f"this folder cannot be read ({error.strerror or error})")
    return Listing(_sorted(found))


def split(typed: str) -> tuple[str, str]:
    """Return the folder as it was typed, up to its last slash, and the beginning of the name behind it."""
    head, slash, name = typed.rpartition("/")
    return (typed, "") if name == "~" and not slash else (head + slash, name)


def folder_of(typed: str) -> Path:
    """Return the folder in which a path that is being typed goes on."""
    return from_home(split(typed)[0] or ".")


def matches(listing: Listing, typed: str) -> list[Entry]:
    """Return what can be meant: the names that begin so, else those that hold it; hidden ones only if begun.

    A name that no terminal can show is left out: it could not be typed either.
    """
    begun = split(typed)[1].casefold()
    names = [
        entry for entry in listing.entries if (begun or not entry.name.startswith(".")) and is_plain(entry.name)
    ]
    first = [entry for entry in names if entry.name.casefold().startswith(begun)]
    return first or [entry for entry in names if begun in entry.name.casefold() and entry.name[0] != "."]


def completed(typed: str, entry: Entry) -> str:
    """Return the path with `entry` as its last part; a folder ends in a slash, to go on in it."""
    head = split(typed)[0]
    head += "/" if head == "~" else ""
    return f"{head}{entry.name}{'/' if entry.is_folder else ''}"


def common_beginning(typed: str, entries: Collection[Entry]) -> str:
    """Return `typed` as far as all `entries` agree on how it goes on; itself where they do not."""
    whole = [completed(typed, entry) for entry in entries]
    if len(whole) == 1:
        return whole[0]
    common = os.path.commonprefix(whole)  # noqa: RUF071 - of letters, as they are typed
    goes_on = len(common) > len(typed) and common.casefold().startswith(typed.casefold())
    return common if goes_on else typed


def _leads_to_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - of thousands of names


def _sorted(entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: (not entry.is_folder, natural(entry.name.casefold()))))
