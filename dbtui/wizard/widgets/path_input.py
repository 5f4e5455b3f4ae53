"""A path that is typed, with what it may become below it."""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from dbtui.wizard.completion import (
    Entry,
    Listing,
    common_beginning,
    completed,
    folder_of,
    list_folder,
    matches,
    split,
)
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.widgets.plain_input import PlainInput, typeable
from trainer_core.text import safe_text

MOST_SHOWN = 200
_PATIENCE = 0.5
"""Seconds after which a folder that does not answer is said to be slow."""
_FRESH = 3.0
"""Seconds for which what was read of a folder is believed."""


class PathInput(PlainInput):
    """An `Input` for a path. While the person types, what lies in the folder is listed below, over the screen.

    Up and down choose from the list and Enter takes the choice; Tab completes as far as there is one way to go
    on, else goes to the next field; escape closes the list. Folders are always offered; of files those that end
    in one of `suffixes` (with the dot, lower case; () for folders only, None for any file). `~` is the home
    folder; a relative path begins at the current one. `value` is what was typed: use `on_disk.from_home`.

    Folders are read in a thread that may hang: a dead network drive costs nothing but its list.
    Events are those of `PlainInput`: `Input.Changed` with each letter, `Input.Submitted` at Enter with no choice
    made, `PlainInput.Refused` for text that no terminal should get.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose(1)", "choose", show=False, id="path.down", tooltip="The next name of the list"),
        Binding("up", "choose(-1)", "choose", show=False, id="path.up", tooltip="The name before"),
        Binding("tab", "complete", "complete", show=False, id="path.complete", tooltip="Complete the name"),
        Binding("escape", "close", "close the list", id="path.close", tooltip="Close the list"),
    ]

    def __init__(
        self,
        value: str = "",
        *,
        suffixes: Collection[str] | None = (),
        placeholder: str = "",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(typeable(value), placeholder=placeholder, id=id, classes=classes, select_on_focus=False)
        self.suffixes = suffixes
        self._list = _Names(self)
        self._matching: list[Entry] = []
        self._reading: dict[Path, asyncio.Task[Listing]] = {}
        self._read_at = 0.0
        self._completed = self.value

    async def on_mount(self) -> None:
        """Put the list below."""
        assert isinstance(self.parent, Widget)
        await self.parent.mount(self._list, after=self)

    @on(Input.Changed)
    def _look(self) -> None:
        if self.has_focus and self.value != self._completed:
            self._completed = self.value
            self.look()

    def set_silently(self, value: str) -> None:
        """Put a path here that was not typed: nothing is listed, nobody is told."""
        with self.prevent(Input.Changed):
            self._completed = self.value = typeable(value)
        self.cursor_position = len(self.value)
        self._close()

    @work(exclusive=True, group="path-input", exit_on_error=False)
    async def look(self) -> None:
        """List how the path can go on."""
        typed = self.value
        reading = self._read(folder_of(typed))
        done, _ = await asyncio.wait({reading}, timeout=_PATIENCE)
        if not done:
            self._show(typed, Listing(problem="this folder takes long to answer"))
        self._show(typed, await asyncio.shield(reading))

    def _read(self, folder: Path) -> "asyncio.Task[Listing]":
        """Read a folder; each letter asks for it again, and one that hangs is asked once."""
        is_old = time.monotonic() - self._read_at > _FRESH
        self._reading = {
            path: reading for path, reading in self._reading.items() if not (is_old and reading.done())
        }
        if folder not in self._reading:
            self._reading[folder] = asyncio.create_task(in_thread(list_folder, folder, self.suffixes))
            self._read_at = time.monotonic()
        return self._reading[folder]

    def on_unmount(self) -> None:
        """Wait for no folder any more."""
        for reading in self._reading.values():
            reading.cancel()

    def _show(self, typed: str, listing: Listing) -> None:
        if typed != self.value or not self.has_focus:
            return
        self._matching = matches(listing, typed)
        if [completed(typed, entry) for entry in self._matching] == [typed]:
            self._matching = []  # it is written out
        rows = [Text(_shown(entry)) for entry in self._matching[:MOST_SHOWN]]
        if remark := listing.problem or _remark(len(self._matching), is_cut=listing.is_cut):
            rows.append(Text(safe_text(remark), style="italic"))
        if rows != [option.prompt for option in self._list.options]:
            self._list.clear_options()
            self._list.add_options(
                Option(row, disabled=place == len(self._matching[:MOST_SHOWN])) for place, row in enumerate(rows)
            )
        self._list.highlighted = None
        self._list.styles.offset = (min(len(split(typed)[0]), max(0, self.size.width - 30)), 0)
        self._open(bool(rows))

    def _close(self) -> None:
        self._matching = []
        self._open(False)

    def _open(self, is_open: bool) -> None:
        if is_open != self._is_open:
            self._list.set_class(is_open, "-open")
            self.refresh_bindings()  # escape closes the list, or goes back

    @property
    def _is_open(self) -> bool:
        return self._list.has_class("-open")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Tab and escape to the screen where they have nothing to do here."""
        if action == "close":
            return self._is_open
        if action == "complete":
            return self._is_open and self._completion() != self.value
        return True

    def action_choose(self, by: int) -> None:
        """Go through the list; open it first."""
        if not self._is_open:
            self.look()
            return
        count = min(len(self._matching), MOST_SHOWN)
        if count:
            present = self._list.highlighted
            start = -1 if by > 0 else count
            self._list.highlighted = ((start if present is None else present) + by) % count

    def action_complete(self) -> None:
        """Write as much as is clear."""
        self._take(self._completion())

    def _completion(self) -> str:
        present = self._list.highlighted
        if present is not None:
            return completed(self.value, self._matching[present])
        return common_beginning(self.value, self._matching) if self._matching else self.value

    async def action_submit(self) -> None:
        """Take the choice of the list; where none was made, go on."""
        if self._is_open and self._list.highlighted is not None:
            self._take(self._completion())
            return
        self._close()
        await super().action_submit()

    def action_close(self) -> None:
        """Close the list."""
        self._close()

    def take(self, place: int) -> None:
        """Take the name at that place of the list."""
        self._list.highlighted = place
        self._take(self._completion())

    def on_blur(self) -> None:
        """Close the list: the person is elsewhere."""
        self._close()

    def _take(self, path: str) -> None:
        self._close()
        self.value = path
        self.cursor_position = len(path)


class _Names(OptionList, can_focus=False):
    """The list below the field; it has no room of its own and never the focus."""

    DEFAULT_CSS = """
    _Names {
        overlay: screen;
        constrain: inside inflect;
        display: none;
        width: auto;
        min-width: 24;
        max-width: 100%;
        height: auto;
        max-height: 10;
        border: none;
        background: $panel;
        scrollbar-size-vertical: 1;
        &.-open { display: block; }
    }
    """

    def __init__(self, field: PathInput) -> None:
        super().__init__()
        self.field = field

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.field.take(event.option_index)


def _shown(entry: Entry) -> str:
    return f"{entry.name}/" if entry.is_folder else entry.name


def _remark(count: int, *, is_cut: bool) -> str:
    if count > MOST_SHOWN:
        return f"and {count - MOST_SHOWN} more: type on"
    return "there are more files here than can be listed: type the name" if is_cut else ""
