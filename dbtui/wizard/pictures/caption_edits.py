"""Captions that were edited: kept among the answers until they are saved, which loses nobody else's work."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbtui.wizard.draft import Draft, Tables
from trainer_core.config.schema import Dataset
from trainer_core.data.captions import (
    MAX_BYTES,
    CaptionError,
    caption_file,
    extensions_of,
    index_captions,
    read_caption,
)
from trainer_core.data.dataset import Picture
from trainer_core.data.listing import list_folder
from trainer_core.run.atomic import write_text
from trainer_core.text import is_plain, safe_text

_ASIDE = "captions"
LONGEST = 4000
"""Characters; CLIP reads some 300, and long captions are cut off anyway."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A caption that was edited.

    Attributes:
        picture: the picture.
        file: where its caption is, or will be.
        text: the caption.
        seen: what the file held when it was opened, as a hash; "" where there was no file.
    """

    picture: Path
    file: Path
    text: str
    seen: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A caption that is being edited: as it stands, what the file says, and characters left out of that."""

    edit: Edit
    before: str
    lost: int


@dataclass(slots=True)
class Saved:
    """What came of saving: the pictures whose caption was written, the files that were not and why."""

    written: list[Path] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What was not written, and why; safe to show."""
        kept = [f"{safe_text(file.name, 100)} has changed on disk and was left alone" for file in self.changed]
        return [*kept, *(f"{safe_text(file, 200)} cannot be written ({why})" for file, why in self.failed)]


def open_caption(picture: Picture, dataset: Dataset, own_prompt: str, draft: Draft) -> Opened:
    """Open the caption of a picture: as edited before, else its file's, else `own_prompt`, if it has no file.

    Raises:
        CaptionError: the file cannot be edited here; the text says why.
    """
    try:
        extensions = extensions_of(dataset.caption_extension)
        captions = index_captions(list_folder(picture.path.parent).files, extensions)
    except OSError as error:
        raise CaptionError(f"cannot be looked for ({error.strerror or error}). Check the folder") from None
    file = caption_file(picture.path, captions, extensions)
    seen = _digest(file)
    lines = read_caption(file).lines if seen else (own_prompt,)
    if dataset.wildcard and len(lines) > 1:
        text = f"has {len(lines)} lines, of which each step takes one (dataset.wildcard). Edit it in a text editor"
        raise CaptionError(text)
    text = " ".join(lines).replace("\t", " ")
    before = "".join(filter(is_plain, text))
    edit = edits(draft).get(picture.path) or Edit(picture.path, file, before, seen)
    return Opened(edit, before, len(text) - len(before))


def edits(draft: Draft) -> dict[Path, Edit]:
    """Return the captions that are not saved yet."""
    kept = draft.aside.get(_ASIDE)
    return {
        Path(name): Edit(Path(name), Path(each["file"]), each["text"], each["seen"])
        for name, each in (kept.items() if isinstance(kept, dict) else ())
        if isinstance(each, dict) and all(isinstance(each.get(part), str) for part in ("file", "text", "seen"))
    }


def keep(draft: Draft, opened: Opened, text: str) -> bool:
    """Keep what was made of a caption among the answers; return whether it is other than what the file says."""
    edit, text = opened.edit, " ".join(text.split())
    if text == " ".join(opened.before.split()) or not (text or edit.seen):
        forget(draft, [edit.picture])
        return False
    _put(draft, replace(edit, text=text))
    return True


def _put(draft: Draft, edit: Edit) -> None:
    kept: Tables = {"file": str(edit.file), "text": edit.text, "seen": edit.seen}
    draft.aside.setdefault(_ASIDE, {})[str(edit.picture)] = kept


def forget(draft: Draft, pictures: Iterable[Path]) -> None:
    """Drop edits: they are saved, or not wanted."""
    kept = draft.aside.get(_ASIDE, {})
    for picture in pictures:
        kept.pop(str(picture), None)
    if not kept:
        draft.aside.pop(_ASIDE, None)


def move(draft: Draft, moved: Mapping[Path, Path]) -> None:
    """Take the edits along when the pictures, and with them the captions, were laid out elsewhere."""
    for picture, edit in edits(draft).items():
        if target := moved.get(picture):
            forget(draft, [picture])
            _put(draft, replace(edit, picture=target, file=target.with_name(edit.file.name)))


def changed_since(wanted: Iterable[Edit]) -> list[Edit]:
    """Return those whose file is no longer what it was when they were edited."""
    return [edit for edit in wanted if _digest(edit.file) != edit.seen]


def save(wanted: Iterable[Edit], *, overwrite: bool, progress: Callable[[int], None] = lambda done: None) -> Saved:
    """Write captions into their files, each whole or not at all.

    With `overwrite`, also those that changed on disk since they were edited; without, these are left as they are.
    """
    saved = Saved()
    for done, edit in enumerate(wanted):
        progress(done)
        if not overwrite and _digest(edit.file) != edit.seen:
            saved.changed.append(edit.file)
            continue
        try:
            write_text(edit.file, edit.text + "\n" if edit.text else "")
        except OSError as error:
            saved.failed.append((edit.file, error.strerror or str(error)))
        else:
            saved.written.append(edit.picture)
    return saved


def _digest(file: Path) -> str:
    """Return a hash of what a caption file holds; "" if there is none, a word of its own if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.sha256(opened.read(MAX_BYTES + 1)).hexdigest()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return "unreadable"
