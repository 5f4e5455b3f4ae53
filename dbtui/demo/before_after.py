"""The pictures of a run before its first step and after its last, side by side."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from dbtui.dashboard.state import Preview, fold
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader

GAP = 4
"""Pixels between two pictures; twice as many between before and after."""
_GROUND = (40, 40, 44)


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt at one seed, drawn with the start model and with the trained one."""

    prompt: str
    seed: int | None
    before: Path
    after: Path


def read_pairs(run: RunDirectory) -> list[Pair]:
    """List what `run` drew at step 0 and again at its last previews, in the order of its prompts."""
    previews = list(fold(EventReader(run.events).poll()).previews)
    last = max((preview.step for preview in previews), default=0)
    after = {(each.prompt, each.seed): each for each in previews if each.step == last and last}
    first: Iterable[Preview] = (each for each in previews if each.step == 0)
    return [
        Pair(each.prompt, each.seed, run.path / each.path, run.path / after[each.prompt, each.seed].path)
        for each in first
        if (each.prompt, each.seed) in after
    ]


def draw_rows(pairs: Iterable[Pair]) -> dict[str, Image.Image]:
    """Return a row of pictures for each prompt: each seed before, then the same seeds after.

    Raises:
        OSError: a picture cannot be read.
    """
    of_prompt: dict[str, list[Pair]] = {}
    for pair in pairs:
        of_prompt.setdefault(pair.prompt, []).append(pair)
    return {prompt: _row(its) for prompt, its in of_prompt.items()}


def save_sheet(rows: dict[str, Image.Image], path: Path) -> None:
    """Write all rows as one picture.

    Raises:
        OSError: it cannot be written.
        ValueError: there is no row.
    """
    height = sum(row.height + 5 * GAP for row in rows.values())
    sheet = Image.new("RGB", (max(row.width for row in rows.values()), height), _GROUND)
    draw, top = ImageDraw.Draw(sheet), 0
    for prompt, row in rows.items():
        draw.text((GAP, top), f"{prompt}: before, after", fill="white")
        sheet.paste(row, (0, top + 4 * GAP))
        top += row.height + 5 * GAP
    sheet.save(path)


def _row(pairs: list[Pair]) -> Image.Image:
    pictures = [_open(pair.before) for pair in pairs] + [_open(pair.after) for pair in pairs]
    side = pictures[0].width
    width = side * len(pictures) + GAP * (len(pictures) - 2) + 2 * GAP
    row, left = Image.new("RGB", (width, pictures[0].height), _GROUND), 0
    for number, picture in enumerate(pictures, 1):
        row.paste(picture, (left, 0))
        left += side + (2 * GAP if number == len(pairs) else GAP)
    return row


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
