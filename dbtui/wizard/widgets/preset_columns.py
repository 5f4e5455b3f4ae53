"""The presets side by side, of which one is chosen with the arrows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from dbtui.doctor.graphics import Gpu
from dbtui.presets.offer import Offer
from dbtui.wizard.steps.hardware_table import column_at, preset_table, shown_columns


class PresetColumns(Widget, can_focus=True):
    """Shows a column for each preset; `PresetColumns.Changed` tells what the person chose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "move(-1)", "smaller card", key_display="←", id="presets.smaller", tooltip="Left"),
        Binding("right,down", "move(1)", "larger card", key_display="→", id="presets.larger", tooltip="Right"),
        Binding("home", "move(-999)", "first", show=False, id="presets.first", tooltip="The first preset"),
        Binding("end", "move(999)", "last", show=False, id="presets.last", tooltip="The last preset"),
    ]
    DEFAULT_CSS = """
    PresetColumns { height: auto; border-left: blank $surface; padding-left: 1; }
    PresetColumns:focus { border-left: outer $primary; }
    """

    @dataclass
    class Changed(Message):
        """The person chose this preset."""

        offer: Offer

    def __init__(self) -> None:
        super().__init__()
        self.offered: Sequence[Offer] = ()
        self.gpu: Gpu | None = None
        self.place = -1

    @property
    def chosen(self) -> Offer | None:
        """The preset that is chosen, None while none is."""
        return self.offered[self.place] if self.place >= 0 else None

    def show(self, offered: Sequence[Offer], chosen: str, gpu: Gpu | None) -> None:
        """Show these presets, with the one of that name chosen."""
        names = [offer.name for offer in offered]
        self.offered, self.gpu = offered, gpu
        self.place = names.index(chosen) if chosen in names else -1
        self.refresh(layout=True)

    def render(self) -> Text:
        """Draw the columns that have room."""
        return self._text(self.size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the table at that width."""
        return len(self._text(width).split()) if self.offered else 1

    def action_move(self, by: int) -> None:
        """Choose the preset `by` places further, at most the last or first."""
        if self.offered:
            self._choose(min(max(self.place + by, 0), len(self.offered) - 1))

    def on_click(self, event: Click) -> None:
        """Choose the column that was clicked."""
        columns = shown_columns(len(self.offered), self.place, self.size.width)
        place = column_at(event.get_content_offset_capture(self).x, columns)
        if place is not None:
            self._choose(place)

    def _choose(self, place: int) -> None:
        if place != self.place:
            self.place = place
            self.refresh(layout=True)
            self.post_message(self.Changed(self.offered[place]))

    def _text(self, width: int) -> Text:
        if not self.offered:
            return Text("reading the presets …", style="dim")
        return preset_table(self.offered, self.place, self.gpu, width)
