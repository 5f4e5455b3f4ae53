"""One of a few values, on one line."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from dbtui.forms.form import State
from dbtui.forms.typed import text_of
from dbtui.forms.widgets.edited import Edited
from trainer_core.config.words import Path
from trainer_core.text import safe_text

_WORDS = {"": "not set", "true": "yes", "false": "no"}
_BETWEEN = 2
_WIDEST = 44


class ChoiceLine(Widget, can_focus=True):
    """Shows all values, the one that holds with a sign; where they do not fit, that one and how many there are."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "before", show=False, id="choice.before", tooltip="The value before"),
        Binding("right,space", "move(1)", "after", show=False, id="choice.after", tooltip="The next value"),
    ]
    DEFAULT_CSS = """
    ChoiceLine {
        height: 1;
        width: 1fr;
        text-wrap: nowrap;
        padding: 0 1;
        background: $surface;
        &:focus { background: $panel; }
        &.-wrong { background: $error 30%; }
    }
    """
    value: reactive[str] = reactive("")

    def __init__(self, path: Path, texts: list[str], value: str) -> None:
        super().__init__()
        self.path, self.texts = path, texts if value in texts else [value, *texts]
        self.set_reactive(ChoiceLine.value, value)

    @classmethod
    def for_state(cls, state: State) -> "ChoiceLine":
        """Return the line for a setting that is true/false or a choice."""
        texts = [text_of(choice) for choice in state.field.value.choices] or ["false", "true"]
        if state.below is None:
            texts = ["", *texts]
        return cls(state.path, texts, state.text)

    def show_state(self, state: State, *, text: bool = False) -> None:
        """Show the value that holds."""
        self.set_class(bool(state.problem), "-wrong")
        if text:
            self.value = state.text

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the room for all values, where the width is automatic; beyond some, that for the longest."""
        whole = self._all().cell_len
        return whole if whole <= _WIDEST else max(self._one(text).cell_len for text in self.texts)

    def render(self) -> Text:
        """Draw the values."""
        width = max(1, self.size.width)
        whole = self._all()
        return whole if whole.cell_len <= width else self._one(self.value)

    def action_move(self, by: int) -> None:
        """Take the value `by` places further, round the end."""
        self.value = self.texts[(self.texts.index(self.value) + by) % len(self.texts)]
        self.post_message(Edited(self.path, self.value))

    def on_click(self, event: Click) -> None:
        """Take the next value."""
        event.stop()
        self.action_move(1)

    def validate_value(self, value: str) -> str:
        """Keep to the values there are."""
        return value if value in self.texts else self.texts[0]

    def _all(self) -> Text:
        line, chosen = Text(), "bold underline" if self.has_focus else "bold"
        for text in self.texts:
            is_value = text == self.value
            line.append(f"{'●' if is_value else '○'} ", style="bold" if is_value else "dim")
            line.append(_shown(text), style=chosen if is_value else "dim")
            line.append(" " * _BETWEEN)
        line.right_crop(_BETWEEN)
        return line

    def _one(self, text: str) -> Text:
        place = f"{self.texts.index(text) + 1} of {len(self.texts)}"
        return Text(f"◂ {_shown(text)} ▸  {place}")


def _shown(text: str) -> str:
    return _WORDS.get(text) or safe_text(text, limit=60)
