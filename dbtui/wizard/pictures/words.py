"""What the step of the pictures says, in words: pure functions from what was found. Every text is safe to show."""

from collections.abc import Sequence

from dbtui.wizard.pictures.found import CAPTION_KINDS_NOT_FILES, Found, Row, Seen
from trainer_core.config.schema import Dataset
from trainer_core.data.buckets import Fit
from trainer_core.data.filewords import has_place, words_of_name
from trainer_core.data.listing import counted
from trainer_core.text import safe_text

COLUMNS = ("folder", "pictures", "repeats", "a pass", "captions")


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the table, under `COLUMNS`."""
    captions = row.captions if not row.faults else f"{row.captions}   ! {counted(row.faults, 'problem')}"
    return row.name, f"{row.pictures:,}", f"x {row.repeats:,}", f"= {row.count:,}", captions


def about_plain(words: str) -> str:
    """Say what a plain folder is taken for."""
    if not words:
        return "A plain folder of pictures, each with a caption of its own"
    return f'A plain folder: pictures without a caption are trained as "{safe_text(words, 60)}"'


def about_layout(rows: Sequence[Row], answered: Sequence[str]) -> str:
    """Say that the folders' names decide, and whether they say other than step 3."""
    named = list(dict.fromkeys(row.words for row in rows))
    unused = [words for words in (safe_text(each, 60) for each in answered) if words and words not in named]
    shown = _some([f'"{words}"' for words in named])
    if not named or not unused:
        return (
            f"The folders' names say what is learned, and how often each picture counts: {shown}" if named else ""
        )
    instead = _some([f'"{words}"' for words in unused])
    return f"The folders' names decide: {shown} is learned, not {instead} of step 3"


def problem_lines(found: Found, room: int) -> list[str]:
    """Return the problems in at most `room` lines, the last one counting the rest."""
    skipped = [f"left out: {text}" for text in found.left_out]
    lines = [*found.problems, *skipped]
    return _within(lines, room, "p lists all of them")


def remark_lines(found: Found, room: int) -> list[str]:
    """Return the remarks in at most `room` lines."""
    if room == 1 < len(found.remarks):
        return [f"{len(found.remarks):,} remarks (p lists them), the first: {found.remarks[0]}"]
    return _within(found.remarks, room, "p lists all of them")


def can_skip(found: Found) -> bool:
    """Whether leaving unreadable pictures out mends something."""
    return bool(found.scan.bad_images) and not found.skips


def picture_line(found: Found, number: int, fit: Fit | None) -> str:
    """Say what is done to a picture."""
    picture = found.pictures[number].picture
    width, height = picture.size
    parts = [f"{number + 1:,}/{len(found.pictures):,}", safe_text(picture.path.name, 60), f"{width} x {height}"]
    if fit is None:
        return "  ".join(parts)
    changes = [f"{fit.bucket[0]} x {fit.bucket[1]}"]
    if fit.resize[0] > width or fit.resize[1] > height:
        changes.append("enlarged")
    share = 1 - fit.bucket[0] * fit.bucket[1] / (fit.resize[0] * fit.resize[1])
    if share >= 0.005:
        changes.append(f"{share:.0%} cropped away")
    if found.dataset.random_crop or found.dataset.rotate_aug:
        changes.append("another part at each step")
    return f"{'  '.join(parts)} → {', '.join(changes)}"


def caption_words(seen: Seen, edited: str | None) -> tuple[str, str]:
    """Return the caption of a picture, and where it comes from."""
    picture = seen.picture
    if edited is not None:
        return safe_text(edited or "(none)", 600), "edited, not in its file yet"
    origin = {"folder": "from the folder's name", "prompt": "from step 3", "filename": "from the file's name"}
    source = origin.get(picture.caption_from, f"from its {safe_text(picture.caption_from, 20)} file")
    return safe_text(picture.caption or "(none)", 600), source


def own_prompt(seen: Seen, dataset: Dataset) -> str:
    """Return what a caption that is written anew begins with: the words that the picture has now."""
    picture = seen.picture
    if picture.caption_from == "filename":
        return words_of_name(picture.path)
    is_made_of = has_place(seen.folder.prompt) or dataset.combine_prompt is not None
    return "" if is_made_of or picture.caption_from not in CAPTION_KINDS_NOT_FILES else picture.caption


def everything(found: Found) -> list[str]:
    """Return all that was found, a line each."""
    lines = [f"{row.name}   {'  '.join(cells(row)[1:])}" for row in found.rows]
    lines += ["", *(f"! {text}" for text in found.problems)] if found.problems else []
    lines += ["", *(f"- left out: {text}" for text in found.left_out)] if found.left_out else []
    lines += ["", *(f"i {text}" for text in found.remarks)] if found.remarks else []
    return lines


def _within(lines: Sequence[str], room: int, how: str) -> list[str]:
    if len(lines) <= room:
        return list(lines)
    kept = list(lines[: room - 1])
    return [*kept, f"and {len(lines) - len(kept):,} more: {how}"]


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
