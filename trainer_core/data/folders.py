"""Which folders hold the pictures: from the folder layout, from the `[[concept]]` list, or from both together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.config.schema import Concept, Dataset, Prior
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.dataset import Fault
from trainer_core.data.folder_names import (
    EXAMPLES,
    FolderName,
    Kind,
    WrongName,
    join_words,
    parse_folder_name,
    split_prompt,
)
from trainer_core.data.listing import Listing, counted, list_folder, name_some, remark
from trainer_core.on_disk import from_home, is_absent

CLASS_UNNAMED = "has a class_dir but no class. Set class or class_prompt"
RELATIVE_PATHS = "a relative one starts at the current folder, in a run file at that file's folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder to read pictures from; the fields mean what they mean in `dataset.PictureFolder`."""

    path: Path
    kind: Kind
    repeats: int
    identifier: str | None
    class_name: str
    prompt: str
    prompt_from: str
    negative_prompt: str | None = None
    """What class pictures that are drawn for it shall not show."""


@dataclass(slots=True)
class Sources:
    """All folders to read, and what was wrong or remarkable on the way."""

    folders: list[Source] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, path: Path, text: str) -> None:
        """Add something that must be mended."""
        self.faults.append(Fault(path=path, text=text))


def find_sources(
    dataset: Dataset,
    concepts: Sequence[Concept],
    prior: Prior | None = None,
    method: CaptionMethod = "dreambooth",
) -> Sources:
    """Find the folders. Relative paths start at the current folder (those of a run file are absolute by now).

    Where `prior` has class pictures drawn, their folders may be missing or empty. Where the captions alone are
    trained (`finetune`), folders need no words, and pictures need no folder with a repeat count.
    """
    draws = prior is not None and prior.num_class_images is not None
    found = Sources()
    if dataset.train_dir is None and not any(concept.instance_dir for concept in concepts):
        text = "is not set. Name the folder of training pictures there, or in a [[concept]] as instance_dir"
        found.fault(Path("dataset.train_dir"), text)
    if dataset.train_dir is not None:
        _add_layout(from_home(dataset.train_dir), "train", found, may_be_plain=method == "finetune")
    if dataset.reg_dir is not None:
        _add_layout(from_home(dataset.reg_dir), "class", found, may_be_empty=draws)
    for number, concept in enumerate(concepts, start=1):
        words_needed = method != "finetune"
        _add_concept(number, concept, found, prior.class_prompt if prior else None, words_needed=words_needed)
    _check_twice(found)
    return found


def look_into(folder: Path, found: Sources) -> Listing | None:
    """List `folder`; None, with a fault, if that is not possible."""
    try:
        return list_folder(folder)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path
        found.fault(folder, f"does not exist. Check the path ({RELATIVE_PATHS})")
    except NotADirectoryError:
        found.fault(folder, "is a file, not a folder. Name the folder that it lies in")
    except OSError as error:
        found.fault(folder, f"cannot be read ({error.strerror or error}). Check the path and its permissions")
    return None


def _add_layout(
    parent: Path, kind: Kind, found: Sources, *, may_be_empty: bool = False, may_be_plain: bool = False
) -> None:
    if may_be_empty and is_absent(parent):
        return
    listing = look_into(parent, found)
    if listing is None:
        return
    names = {folder: parse_folder_name(folder.name, kind) for folder in listing.folders}
    if any(isinstance(name, FolderName) for name in names.values()):
        _add_children(parent, listing, names, kind, found)
    elif _is_leaf(parent, listing, kind):
        name = parse_folder_name(_own_name(parent), kind)
        assert isinstance(name, FolderName)
        found.folders.append(_from_name(parent, name, kind))
        found.notes.append(
            f"{parent}: this is the folder of the pictures itself, not its parent; it is read as such"
        )
    elif may_be_plain and (listing.pictures or listing.unread):
        found.folders.append(_from_name(parent, FolderName(repeats=1, prompt=""), kind))
    else:
        before = len(found.faults)
        _add_children(parent, listing, names, kind, found)
        is_empty = not (listing.folders or listing.pictures or listing.unread)
        if len(found.faults) == before and not (may_be_empty and is_empty):
            found.fault(parent, _why_nothing(parent, listing, kind))


def _add_children(
    parent: Path, listing: Listing, names: dict[Path, FolderName | WrongName], kind: Kind, found: Sources
) -> None:
    if listing.ignored:
        found.notes.append(f"{parent}: hidden or system, ignored: {counted(listing.ignored, 'file')}")
    for folder, name in names.items():
        if isinstance(name, FolderName):
            if folder.name != folder.name.strip():
                found.notes.append(f'{folder}: the spaces around the name are ignored; read as "{name.prompt}"')
            found.folders.append(_from_name(folder, name, kind))
        elif name.attempt or _holds_pictures(folder):
            found.fault(folder, name.text)
        else:
            found.notes.append(f"{folder}: has no repeat count and no pictures; it is left out")
    loose = listing.pictures + listing.unread
    if any(isinstance(name, FolderName) for name in names.values()):
        found.notes += [f"{parent}: {text}" for text in remark("not used, they lie beside the folders", loose)]


def _from_name(path: Path, name: FolderName, kind: Kind) -> Source:
    identifier, class_name = split_prompt(name.prompt, kind)
    return Source(
        path=path,
        kind=kind,
        repeats=name.repeats,
        identifier=identifier,
        class_name=class_name,
        prompt=name.prompt,
        prompt_from="folder",
    )


def _own_name(folder: Path) -> str:
    return os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 - "." and ".." without following links


def _is_leaf(folder: Path, listing: Listing, kind: Kind) -> bool:
    return bool(listing.pictures) and isinstance(parse_folder_name(_own_name(folder), kind), FolderName)


def _holds_pictures(folder: Path) -> bool:
    try:
        listing = list_folder(folder)
    except OSError:
        return False
    return bool(listing.pictures or listing.unread)


def _why_nothing(parent: Path, listing: Listing, kind: Kind) -> str:
    example = EXAMPLES[kind]
    for folder in listing.folders:
        if _holds_layout(folder, kind):
            return (
                f'holds no folder named like "{example}", but {folder.name} inside it does. Name that one instead'
            )
    loose = listing.pictures + listing.unread
    if loose:
        text = f"has {counted(len(loose), 'picture')} lying loose in it ({name_some(loose)})"
        return f'{text}. Move them into a folder inside it, named like "{example}"'
    return f'holds no pictures. Put them into a folder inside it, named like "{example}"'


def _holds_layout(folder: Path, kind: Kind) -> bool:
    try:
        inside = list_folder(folder).folders
    except OSError:
        return False
    return any(isinstance(parse_folder_name(child.name, kind), FolderName) for child in inside)


def _add_concept(
    number: int, concept: Concept, found: Sources, class_prompt: str | None, *, words_needed: bool
) -> None:
    if concept.instance_dir is None and concept.class_dir is None:
        found.fault(Path(f"concept[{number}]"), "names no folder. Set instance_dir, class_dir or both")
    class_name = concept.class_ or concept.class_prompt or ""
    if concept.instance_dir is not None:
        prompt = concept.instance_prompt or join_words(concept.identifier, concept.class_)
        if not prompt and words_needed:
            text = "says nothing of its pictures. Set identifier and class, or instance_prompt"
            found.fault(Path(f"concept[{number}]"), text)
        _add_named(concept.instance_dir, "train", concept, class_name, prompt, found)
    if concept.class_dir is not None:
        prompt = concept.class_prompt or class_prompt or concept.class_ or ""
        if not prompt:
            found.fault(Path(f"concept[{number}]"), CLASS_UNNAMED)
        _add_named(concept.class_dir, "class", concept, class_name, prompt, found)


def _add_named(folder: str, kind: Kind, concept: Concept, class_name: str, prompt: str, found: Sources) -> None:
    source = Source(
        path=from_home(folder),
        kind=kind,
        repeats=concept.repeats if kind == "train" else 1,
        identifier=concept.identifier if kind == "train" else None,
        class_name=class_name,
        prompt=prompt,
        prompt_from="prompt",
        negative_prompt=concept.class_negative_prompt if kind == "class" else None,
    )
    if source not in found.folders:  # several concepts may share one class folder
        found.folders.append(source)


def _check_twice(found: Sources) -> None:
    """A folder read as both kinds is a mistake of the paths; read twice as one kind, it counts twice."""
    kinds: dict[str, Source] = {}
    for source in found.folders:
        first = kinds.setdefault(os.path.realpath(source.path), source)
        if first is source:
            continue
        if first.kind != source.kind:
            text = "is named for training pictures and for class pictures. Give each its own folder"
            found.fault(source.path, text)
        else:
            found.notes.append(f"{source.path}: is named more than once, so its pictures count more than once")
