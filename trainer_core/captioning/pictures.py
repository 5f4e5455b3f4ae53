"""Which pictures of a folder get a caption, and where it goes; no picture is opened and nothing heavy imported."""

from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.data.captions import DEFAULT_EXTENSIONS, caption_file, extensions_of, index_captions
from trainer_core.data.folder_names import FolderName, parse_folder_name
from trainer_core.data.listing import (
    PICTURE_SUFFIXES,
    UNREAD_FORMATS,
    Listing,
    counted,
    list_folder,
    name_some,
    stem_key,
)
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text


@dataclass(frozen=True, slots=True)
class Target:
    """A picture, the caption file that training reads or will read for it, and whether that exists."""

    picture: Path
    caption: Path
    exists: bool


@dataclass(slots=True)
class Pictures:
    """What was found: pictures that can be captioned, those that cannot with the reason, and remarks."""

    targets: list[Target] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_pictures(folder: Path, extension: str | None) -> Pictures:
    """Find the pictures in `folder` and in folders inside it that are named "<repeats>_<words>".

    With an `extension`, only caption files that end so count; without, .caption and .txt do, as in training.

    Raises:
        UserError: the folder cannot be read or holds no pictures (code DATASET), or the extension is that of
            pictures (code CONFIG).
    """
    extensions = _checked(extension)
    folder = from_home(str(folder))
    found = Pictures()
    listing = _list(folder)
    _add(listing, extensions, found)
    for child in listing.folders:
        if isinstance(parse_folder_name(child.name, "train"), FolderName):
            _add(_list(child), extensions, found)
        else:
            found.notes.append(f'{child}: is not looked into, its name is not like "20_sls frog"')
    if not found.targets and not found.unreadable:
        text = f'{safe_text(folder)} holds no pictures, nor does a folder inside it named like "20_sls frog"'
        raise UserError(text, ExitCode.DATASET)
    return found


def _checked(extension: str | None) -> tuple[str, ...]:
    if extension is None:
        return DEFAULT_EXTENSIONS
    (dotted,) = extensions_of(extension)
    is_pictures = dotted.lower() in PICTURE_SUFFIXES or dotted.lower() in UNREAD_FORMATS
    if is_pictures or dotted == "." or any(character in dotted for character in "/\\\0"):
        raise UserError(
            f"--extension {safe_text(extension)} cannot be that of captions; use .txt", ExitCode.CONFIG
        )
    return (dotted,)


def _list(folder: Path) -> Listing:
    try:
        return list_folder(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{safe_text(folder)} cannot be read ({safe_text(reason)})", ExitCode.DATASET) from error


def _add(listing: Listing, extensions: tuple[str, ...], found: Pictures) -> None:
    captions = index_captions(listing.files, extensions)
    taken: dict[str, Path] = {}
    twins = []
    for picture in listing.pictures:
        stem = stem_key(picture)
        if taken.setdefault(stem, picture) is not picture:
            twins.append(picture)
            continue
        caption = caption_file(picture, captions, extensions)
        found.targets.append(Target(picture, caption, stem in captions))
    found.unreadable += [(path, f"{UNREAD_FORMATS[path.suffix.lower()]} is not read") for path in listing.unread]
    if twins:
        found.notes.append(
            f"the same name as another but for the extension, and so its caption: {counted(len(twins), 'picture')}"
            f" ({name_some(twins)})"
        )
