"""A list of rows of one line each, drawn as they come into sight: long lists cost nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

_HERE, _ELSEWHERE = "▸ ", "  "


class RowList(ScrollView, can_focus=True):
    """Rows with a cursor that stays on the same row, by its key, however the list changes.

    `RowList.Moved` tells the key that the cursor is on, "" if there are no rows; a click chooses the row
    (`RowList.Chosen`), enter is left to the screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="rows.up", tooltip="The row above"),
        Binding("down,j", "move(1)", "down", show=False, id="rows.down", tooltip="The row below"),
        Binding("pageup", "page(-1)", "page up", show=False, id="rows.page_up", tooltip="A page up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="rows.page_down", tooltip="A page down"),
        Binding("home", "move(-999999)", "first", show=False, id="rows.first", tooltip="The first row"),
        Binding("end", "move(999999)", "last", show=False, id="rows.last", tooltip="The last row"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor"}
    DEFAULT_CSS = """
    RowList {
        scrollbar-size-horizontal: 0;
        scrollbar-gutter: auto;
        & > .row-list--cursor { background: $panel; }
        &:focus > .row-list--cursor { background: $primary 30%; }
    }
    """

    @dataclass
    class Moved(Message):
        """The cursor is on another row now."""

        key: str

    @dataclass
    class Chosen(Message):
        """The row was clicked."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.keys: Sequence[str] = ()
        self.lines: Sequence[Text] = ()
        self._place = 0

    @property
    def key(self) -> str:
        """The key of the row that the cursor is on; "" if there are no rows."""
        return self.keys[self._place] if self._place < len(self.keys) else ""

    def show(self, keys: Sequence[str], lines: Sequence[Text]) -> None:
        """Show these rows; only what changed is drawn."""
        before, old_keys, old_lines = self.key, self.keys, self.lines
        self.keys, self.lines = list(keys), list(lines)
        self._place = self.keys.index(before) if before in self.keys else min(self._place, max(0, len(keys) - 1))
        if list(old_keys) != self.keys:
            self.virtual_size = Size(self.size.width, len(self.lines))
            self.refresh()
            self.call_after_refresh(self._follow_cursor)
        else:
            for place, (old, new) in enumerate(zip(old_lines, self.lines, strict=True)):
                if old != new or old.spans != new.spans:
                    self._refresh_row(place)
        if self.key != before:
            self.post_message(self.Moved(self.key))

    def go_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self.keys:
            self._go(self.keys.index(key))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._go(self._place + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self._go(self._place + by * max(1, self.size.height - 1))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(self.size.width, len(self.lines))
        self._follow_cursor()

    def on_click(self, event: Click) -> None:
        """Choose the row under the mouse."""
        place = event.y + self.scroll_offset.y
        if place < len(self.keys):
            self._go(place)
            self.post_message(self.Chosen(self.key))

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        place = y + self.scroll_offset.y
        width = self.size.width
        if place >= len(self.lines):
            return Strip.blank(width, self.rich_style)
        is_here = place == self._place
        style = self.get_component_styles("row-list--cursor").rich_style if is_here else self.rich_style
        line = Text(_HERE if is_here else _ELSEWHERE, no_wrap=True).append_text(self.lines[place])
        line.truncate(width, overflow="ellipsis")
        segments = list(line.render(self.app.console))
        return Strip(segments).adjust_cell_length(width).apply_style(style)

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self.keys) - 1))
        if place == self._place or not self.keys:
            return
        self._refresh_row(self._place)
        self._place = place
        self._refresh_row(place)
        self._follow_cursor()
        self.post_message(self.Moved(self.key))

    def _follow_cursor(self) -> None:
        self.scroll_to_region(Region(0, self._place, self.size.width, 1), animate=False, force=True)

    def _refresh_row(self, place: int) -> None:
        self.refresh(Region(0, place - self.scroll_offset.y, self.size.width, 1))
