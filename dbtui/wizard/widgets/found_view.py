"""What a scan found: the folders, the faults, and the pictures as they will be cropped."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures import caption_edits, chosen
from dbtui.wizard.pictures.examination import Examination
from dbtui.wizard.pictures.found import Found, Row
from dbtui.wizard.pictures.words import (
    COLUMNS,
    about_layout,
    about_plain,
    caption_words,
    cells,
    picture_line,
    problem_lines,
    remark_lines,
)
from dbtui.wizard.widgets.gallery import Entry, Gallery
from trainer_core.data.buckets import Fit
from trainer_core.data.listing import counted
from trainer_core.errors import UserError

_TALL = 30
"""Lines of a screen from which there is room for more than the first of everything."""


class FoundView(Widget):
    """Shows a `Found`, as much of it as there is room for; nothing while there is none."""

    DEFAULT_CSS = """
    FoundView {
        layout: vertical;
        height: 1fr;
        &.-nothing { display: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-nothing")
        self.found: Found | None = None
        self._edited: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Put the parts below each other."""
        yield Static(id="table", markup=False)
        yield Static(id="problems", markup=False)
        yield Static(id="remarks", markup=False)
        yield Gallery(id="gallery")
        yield Static(id="picture", markup=False)
        yield Static(id="caption", markup=False)
        yield Static(id="edits", markup=False)

    def about(self, examined: Examination, draft: Draft) -> str:
        """Say what the folder is taken for, or why it cannot be."""
        if examined.looked and examined.looked.problem:
            return f"! {examined.looked.problem}"
        if examined.errors:
            return f"! {examined.errors[0]}"
        if not examined.found:
            return ""
        if not examined.folder:
            return "The other subjects' pictures are below; this one's folder is not chosen yet"
        try:
            answered = chosen.words_of(draft)
        except UserError:
            answered = []
        if chosen.is_laid_out(draft):
            return about_layout(examined.found.rows, answered)
        words = next((examined.found.rows[place].words for place in examined.found.places_of(examined.folder)), "")
        remark = f"; {examined.looked.remark}" if examined.looked and examined.looked.remark else ""
        return f"{about_plain(words)}{remark}"

    def show(self, found: Found | None, draft: Draft, folder: str = "") -> None:
        """Show what was found; of several subjects that picture is selected which is in `folder`."""
        before = self._selected_path()
        self.found = found
        self.set_class(found is None, "-nothing")
        if found is None:
            return
        is_tall = self.app.size.height >= _TALL
        self.query_one("#table", Static).update(_table(found.rows, 10 if is_tall else 4))
        self._lines("#problems", "!", problem_lines(found, 6 if is_tall else 3))
        self._lines("#remarks", "i", remark_lines(found, 4 if is_tall else 1))
        gallery = self.query_one(Gallery)
        gallery.display = bool(found.pictures)
        self._read_edits(draft)
        gallery.show(self._entries(), _place(found, before, folder))

    def refresh_edits(self, draft: Draft) -> None:
        """Show what became of captions."""
        self._read_edits(draft)
        gallery = self.query_one(Gallery)
        gallery.show(self._entries(), gallery.selected)

    @on(Gallery.Selected)
    def _tell_picture(self) -> None:
        """Tell of the selected picture."""
        found, number = self.found, self.query_one(Gallery).selected
        if not found or not found.pictures:
            for part in ("#picture", "#caption"):
                self.query_one(part, Static).update("")
            return
        seen = found.pictures[number]
        self.query_one("#picture", Static).update(
            Text(picture_line(found, number, fit_of(found, number))), layout=False
        )
        text, source = caption_words(seen, self._edited.get(str(seen.picture.path)))
        self.query_one("#caption", Static).update(Text(text).append(f"   ({source})", style="italic"))

    def _read_edits(self, draft: Draft) -> None:
        edits = caption_edits.edits(draft)
        self._edited = {str(path): edit.text for path, edit in edits.items()}
        words = f"{counted(len(edits), 'caption')} edited, not in the files yet: w writes them" if edits else ""
        line = self.query_one("#edits", Static)
        line.display = bool(words)
        line.update(Text(words))

    def _entries(self) -> Sequence[Entry]:
        return _Entries(self.found, self._edited) if self.found else ()

    def _selected_path(self) -> Path | None:
        if self.found is None or not self.found.pictures:
            return None
        return self.found.pictures[self.query_one(Gallery).selected].picture.path

    def _lines(self, part: str, sign: str, lines: list[str]) -> None:
        widget = self.query_one(part, Static)
        widget.display = bool(lines)
        widget.set_class(len(lines) > 1, "-several")
        widget.update(Text("\n".join(f"{sign} {line}" for line in lines)))


class _Entries(Sequence[Entry]):
    """The pictures for the gallery, each made when it is shown: there may be ten thousand."""

    def __init__(self, found: Found, edited: dict[str, str]) -> None:
        self._found = found
        self._edited = edited

    def __len__(self) -> int:
        return len(self._found.pictures)

    def __getitem__(self, place: int | slice) -> "Entry | list[Entry]":  # type: ignore[override]
        if isinstance(place, slice):
            return [self._entry(number) for number in range(*place.indices(len(self)))]
        return self._entry(place)

    def _entry(self, number: int) -> Entry:
        path = self._found.pictures[number].picture.path
        return Entry(path, fit_of(self._found, number), "✎" if str(path) in self._edited else "")


def _place(found: Found, before: Path | None, folder: str) -> int:
    """Return the picture to select: the one of before, unless another subject's folder is asked for."""
    folders = [found.scan.train[place].path for place in found.places_of(folder)] if folder else []
    if before is None or (folders and before.parent not in folders):
        wanted = (number for number, seen in enumerate(found.pictures) if seen.folder.path in folders)
    else:
        wanted = (number for number, seen in enumerate(found.pictures) if seen.picture.path == before)
    return next(wanted, 0)


def fit_of(found: Found, number: int) -> Fit | None:
    """Return how a picture is cropped; None where the settings of the buckets contradict each other."""
    try:
        return found.fit(found.pictures[number])
    except UserError:  # told where they are asked for
        return None


def _table(rows: Sequence[Row], room: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 0 < number < 4 else "left", no_wrap=True, overflow="ellipsis")
    shown = rows if len(rows) <= room else rows[: room - 1]
    for row in shown:
        table.add_row(*map(Text, cells(row)))
    if len(shown) < len(rows):
        count = sum(row.count for row in rows[len(shown) :])
        pictures = sum(row.pictures for row in rows[len(shown) :])
        rest = (f"and {len(rows) - len(shown):,} more", f"{pictures:,}", "", f"= {count:,}", "p lists them")
        table.add_row(*map(Text, rest))
    return table
