"""A row of small pictures, of which one is selected; only those on the screen are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from PIL import Image
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures.small import kept_picture, small_picture
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.data.buckets import Fit
from trainer_core.data.images import BadPictureError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

MOST = 24
"""Pictures on a page."""
SMALLEST, LARGEST = 8, 16
"""Lines of a row: a picture, and two lines below it."""
_LABEL = 2
_GAP = 2
_NAME = 24
"""Cells for a name, where pictures are not drawn."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture to show: its file, how it is cropped, and whether there is something to be said of it."""

    path: Path
    fit: Fit | None = None
    mark: str = ""


class _Cell(Widget):
    """One picture with its size and name below."""

    DEFAULT_CSS = """
    _Cell {
        layout: vertical;
        padding-right: 2;
        & > Static {
            height: 2;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            text-align: center;
            color: $text-muted;
        }
        &.-selected > Static { color: $text; text-style: bold; background: $surface; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.thumbnail = Thumbnail()
        self.words = Static("", markup=False)
        self._labelled: tuple[Entry, bool] | None = None
        self._filled: Image.Image | str | None = None

    def compose(self) -> ComposeResult:
        """Put the words below the picture."""
        yield self.thumbnail
        yield self.words

    def label(self, entry: Entry, *, is_selected: bool) -> None:
        """Write the lines."""
        if self._labelled == (entry, is_selected):
            return
        self._labelled = entry, is_selected
        self.set_class(is_selected, "-selected")
        size = f"{entry.fit.bucket[0]} x {entry.fit.bucket[1]}" if entry.fit else ""
        sign = "▸ " if is_selected else ""
        words = Text(f"{size} {entry.mark}".strip() + f"\n{sign}{safe_text(entry.path.name, 80)}")
        self.words.update(words, layout=False)

    def fill(self, loaded: Image.Image | str | None) -> None:
        """Show the picture, or why there is none; None for nothing yet. The same again costs nothing."""
        if loaded is not None and loaded is self._filled:
            return
        self._filled = loaded
        if isinstance(loaded, str):
            self.thumbnail.tell(loaded)
        else:
            self.thumbnail.show(loaded)


class Gallery(Widget, can_focus=True):
    """Shows as many pictures as there is room for; the arrows select one, and so turn the pages.

    `show` takes the pictures, thousands if need be; `selected` is the number of the selected one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "before", show=False, id="gallery.left", tooltip="The picture before"),
        Binding("right", "move(1)", "after", show=False, id="gallery.right", tooltip="The next picture"),
        Binding("up", "turn(-1)", "above", show=False, id="gallery.up", tooltip="The picture above"),
        Binding("down", "turn(1)", "below", show=False, id="gallery.down", tooltip="The picture below"),
        Binding("home", "move(-999999999)", "first", show=False, id="gallery.home", tooltip="The first picture"),
        Binding("end", "move(999999999)", "last", show=False, id="gallery.end", tooltip="The last picture"),
    ]
    DEFAULT_CSS = """
    Gallery {
        layout: grid;
        grid-size: 1;
        height: 1fr;
        &:focus .-selected > Static { color: $block-cursor-foreground; background: $block-cursor-background; }
    }
    """

    @dataclass
    class Selected(Message):
        """Another picture was selected."""

        number: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entries: Sequence[Entry] = ()
        self.selected = 0
        self._cells: list[_Cell] = []
        self._first = 0
        self._columns = 1
        self._grid = (0, 0, 0)
        self._shown: list[Entry] = []

    def show(self, entries: Sequence[Entry], selected: int = 0) -> None:
        """Show these pictures, one of them selected."""
        self.entries = entries
        self._shown = []
        self.select(selected)

    def select(self, number: int) -> None:
        """Select a picture and turn to its page."""
        self.selected = max(0, min(number, len(self.entries) - 1))
        self._arrange()
        self.post_message(self.Selected(self.selected))

    def action_move(self, by: int) -> None:
        """Select a picture further on or back."""
        if self.entries:
            self.select(self.selected + by)

    def action_turn(self, by: int) -> None:
        """Select a picture of another row."""
        self.action_move(by * self._columns)

    def on_resize(self) -> None:
        """Show as many as there is room for."""
        self._arrange()

    def on_click(self, event: Click) -> None:
        """Select what is clicked."""
        widget, _ = self.screen.get_widget_at(event.screen_x, event.screen_y)
        for place, cell in enumerate(self._cells):
            if widget is cell or cell in widget.ancestors:
                self.select(self._first + place)

    @property
    def _is_off(self) -> bool:
        return cast("WizardApp", self.app).options.images == "off"

    def _arrange(self) -> None:
        """Put the pictures of the page into the cells, and load those that are not in memory."""
        grid = grid_of_names(*self.size) if self._is_off else grid_of(len(self.entries), *self.size)
        if grid != self._grid:
            self._grid = self._columns, rows, height = grid
            self.styles.grid_size_columns, self.styles.grid_size_rows = self._columns, rows
            width = _NAME if self._is_off else _width(height)
            self.styles.grid_columns, self.styles.grid_rows = str(width), str(height)
        count = grid[0] * grid[1]
        self._first = self.selected // count * count
        page = list(self.entries[self._first : self._first + count])
        if missing := [_Cell() for _ in range(len(self._cells), len(page))]:
            self._cells += missing
            self.mount(*missing)
        for place, cell in enumerate(self._cells):
            cell.display = place < len(page)
            if place < len(page):
                cell.label(page[place], is_selected=self._first + place == self.selected)
        if page != self._shown:
            self._shown = page
            self._fill(page)

    def _fill(self, page: Sequence[Entry]) -> None:
        """Show what is in memory at once, then whatever the disk has; it may be slow."""
        cells = list(zip(self._cells, page, strict=False))
        if self._is_off:
            for cell, _ in cells:
                cell.fill("")
            return
        kept = [kept_picture(entry.path, entry.fit) for _, entry in cells]
        for (cell, _), picture in zip(cells, kept, strict=True):
            cell.fill(picture)
        missing = [pair for pair, picture in zip(cells, kept, strict=True) if picture is None]
        self._load([*missing, *(pair for pair in cells if pair not in missing)])

    @work(exclusive=True, group="gallery", exit_on_error=False)
    async def _load(self, cells: Sequence[tuple[_Cell, Entry]]) -> None:
        for cell, entry in cells:
            cell.fill(await in_thread(_small, entry))


def grid_of(count: int, width: int, height: int) -> tuple[int, int, int]:
    """Return columns, rows and lines of a row: as large as possible where all pictures fit on a page."""
    for lines in range(min(LARGEST, height), SMALLEST - 1, -1):
        columns, rows = _columns(width, lines), height // lines
        if count <= columns * rows <= MOST:
            return columns, rows, lines
    rows = max(1, height // SMALLEST)
    lines = max(_LABEL + 1, min(LARGEST, height // rows))
    columns = _columns(width, lines)
    return columns, max(1, min(rows, MOST // columns)), lines


def grid_of_names(width: int, height: int) -> tuple[int, int, int]:
    """Return columns, rows and lines of a row where only names and sizes are shown."""
    columns = max(1, width // _NAME)
    return columns, max(1, min(MOST // columns, height // (_LABEL + 1))), _LABEL + 1


def _columns(width: int, lines: int) -> int:
    return max(1, min(MOST, width // _width(lines)))


def _width(lines: int) -> int:
    return max(10, 2 * (lines - _LABEL)) + _GAP


def _small(entry: Entry) -> Image.Image | str:
    """Return a small copy, or why there is none."""
    try:
        return small_picture(entry.path, entry.fit)
    except BadPictureError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - told in its place; the others are shown
        return f"cannot be shown ({error})"
