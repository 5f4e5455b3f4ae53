"""The presets side by side as text: a column each, as many as there is room for, the chosen one among them."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from dbtui.doctor.graphics import Gpu
from dbtui.presets.compare import Row, compared
from dbtui.presets.offer import Offer
from dbtui.wizard.steps.hardware_words import fit_words, needed_words

CHOSEN, OTHER = "●", "○"
_LABEL = 13
_COLUMN = 14
_GAP = 1


def shown_columns(count: int, chosen: int, width: int) -> range:
    """Return the places of the columns that have room, the chosen one as near to the middle as may be."""
    room = min(count, max(1, (width - _LABEL + _GAP) // (_COLUMN + _GAP)))
    first = min(max(0, chosen - room // 2), count - room)
    return range(first, first + room)


def column_at(x: int, columns: range) -> int | None:
    """Return the place of the column that covers cell `x` of a line."""
    place = columns.start + (x - _LABEL) // (_COLUMN + _GAP)
    return place if x >= _LABEL and place in columns else None


def preset_table(offered: Sequence[Offer], chosen: int, gpu: Gpu | None, width: int) -> Text:
    """Return the comparison as lines."""
    columns = shown_columns(len(offered), chosen, width)
    text = Text(no_wrap=True)
    for number, row in enumerate(_rows(offered, chosen, gpu)):
        if number:
            text.append("\n")
        _add_row(text, row, columns, chosen, is_head=number == 0)
    if left := len(offered) - len(columns):
        text.append(f"\n{'':{_LABEL}}← → {left} more beside these", style="dim")
    return text


def _rows(offered: Sequence[Offer], chosen: int, gpu: Gpu | None) -> list[Row]:
    signs = [CHOSEN if place == chosen else OTHER for place in range(len(offered))]
    rows = [
        Row("made for", tuple(f"{sign} {offer.card}" for sign, offer in zip(signs, offered, strict=True))),
        Row("preset", tuple(offer.name for offer in offered)),
    ]
    if gpu:
        rows.append(Row("predicted", tuple(map(needed_words, offered))))
        rows.append(Row("fits here", tuple(fit_words(offer, gpu) for offer in offered)))
    rows += compared([offer.config for offer in offered])
    return [*rows, Row("measured", tuple(offer.measured for offer in offered))]


def _add_row(text: Text, row: Row, columns: range, chosen: int, *, is_head: bool) -> None:
    cells = {place: textwrap.wrap(row.cells[place], _COLUMN, max_lines=4) or [""] for place in columns}
    for line in range(max(map(len, cells.values()))):
        text.append("\n" if line else "")
        text.append(f"{'' if line else row.label:{_LABEL}}", style="dim")
        for place, lines in cells.items():
            cell = lines[line] if line < len(lines) else ""
            style = "bold" if place == chosen else "" if is_head else "dim"
            text.append(f"{cell:{_COLUMN + _GAP}}", style=style)
        text.rstrip()
