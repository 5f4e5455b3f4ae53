"""A question with a few answers, of which one always holds: a list, or side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from trainer_core.text import safe_text

CHOSEN, OTHER = "●", "○"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        value: what it stands for.
        title: its name, in bold.
        lines: what it means and what it costs, a line each (they wrap where there is no room).
        note: a word or two behind the title, dim: "8 GB", "fits".
        letter: the key that jumps to it; "" for the first letter of its title.
    """

    value: str
    title: str
    lines: tuple[str | Text, ...] = ()
    note: str = ""
    letter: str = ""

    @property
    def jumps_at(self) -> str:
        """The letter that jumps to it."""
        return (self.letter or self.title[:1]).lower()


class _ChoiceView(Static):
    """One choice as it is shown: its sign, title and lines."""

    def __init__(self, choice: Choice, *, is_chosen: bool) -> None:
        super().__init__(markup=False, classes="choice")
        self.choice = choice
        self.show(is_chosen=is_chosen)

    def show(self, *, is_chosen: bool) -> None:
        """Show whether it is chosen."""
        self.set_class(is_chosen, "-chosen")
        self.update(_picture_of(self.choice, is_chosen=is_chosen))

    def on_click(self) -> None:
        """Tell that this is the one."""
        self.post_message(_Clicked(self))


@dataclass
class _Clicked(Message):
    """A choice was clicked."""

    view: _ChoiceView


class Choices(Widget, can_focus=True):
    """A list of choices, one below the other, or side by side (`beside=True`).

    The arrows change the choice at once, digits and letters jump (unless the screen has that key for itself).
    Enter is left to the screen, which goes on. `Choices.Changed` tells of each change by the person; `value` is
    what is chosen; setting it chooses silently, and so does `show`, which takes other choices.

        yield Choices([Choice("full", "Full model", ("a new model", "2 GB")), ...], chosen="full", id="train")

        @on(Choices.Changed, "#train")
        def _other(self, event): self.draft.set("method.train", event.value); self.changed()

    All texts may come from outside: they are made safe here.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left", "move(-1)", "before", show=False, id="choices.before", tooltip="The choice before"),
        Binding("down,right", "move(1)", "after", show=False, id="choices.after", tooltip="The choice after"),
        Binding("home", "move(-999)", "first", show=False, id="choices.first", tooltip="The first choice"),
        Binding("end", "move(999)", "last", show=False, id="choices.last", tooltip="The last choice"),
    ]
    DEFAULT_CSS = """
    Choices {
        height: auto;
        & > .choice {
            height: auto;
            width: 1fr;
            padding: 0 1;
            border-left: blank $surface;
        }
        &:focus > .choice.-chosen {
            border-left: outer $primary;
            background: $surface;
        }
        &.-beside {
            layout: horizontal;
        }
    }
    """

    @dataclass
    class Changed(Message):
        """The person chose `value`."""

        choices: "Choices"
        value: str

        @property
        def control(self) -> "Choices":
            """The list of choices, so that `@on(Choices.Changed, "#id")` works."""
            return self.choices

    def __init__(
        self,
        choices: Sequence[Choice],
        *,
        chosen: str = "",
        beside: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.choices = list(choices)
        self._place = self._place_of(chosen)
        self.set_class(beside, "-beside")

    def compose(self) -> ComposeResult:
        """Show each choice."""
        for place, choice in enumerate(self.choices):
            yield _ChoiceView(choice, is_chosen=place == self._place)

    @property
    def value(self) -> str:
        """What is chosen; "" if there is nothing to choose from."""
        return self.choices[self._place].value if self.choices else ""

    @value.setter
    def value(self, value: str) -> None:
        self._choose(self._place_of(value), tell=False)

    async def show(self, choices: Sequence[Choice], chosen: str = "") -> None:
        """Take other choices; what was chosen stays chosen where it is still there."""
        kept = chosen or self.value
        self.choices = list(choices)
        self._place = self._place_of(kept)
        await self.recompose()

    def action_move(self, by: int) -> None:
        """Choose the one `by` places further, at most the last or first."""
        if self.choices:
            self._choose(min(max(self._place + by, 0), len(self.choices) - 1))

    def on_key(self, event: Key) -> None:
        """Jump at a digit or a letter, unless it means something else on this screen."""
        if not event.character or event.key in self.screen.active_bindings:
            return
        place = self._place_at(event.character.lower())
        if place is not None:
            event.stop()
            self._choose(place)

    @on(_Clicked)
    def _choose_clicked(self, event: _Clicked) -> None:
        event.stop()
        self._choose(list(self.query(_ChoiceView)).index(event.view))

    def _place_at(self, character: str) -> int | None:
        if character.isdecimal() and 1 <= int(character) <= len(self.choices):
            return int(character) - 1
        count = len(self.choices)
        order = ((self._place + by) % count for by in range(1, count + 1))
        return next((place for place in order if self.choices[place].jumps_at == character), None)

    def _place_of(self, value: str) -> int:
        return next((place for place, choice in enumerate(self.choices) if choice.value == value), 0)

    def _choose(self, place: int, *, tell: bool = True) -> None:
        if place == self._place:
            return
        self._place = place
        views = list(self.query(_ChoiceView))
        for number, view in enumerate(views):
            view.show(is_chosen=number == place)
        if views:
            views[place].scroll_visible(animate=False)
        if tell:
            self.post_message(self.Changed(self, self.value))


def _picture_of(choice: Choice, *, is_chosen: bool) -> Table:
    """Draw the sign in a column of its own, so that lines which wrap stay behind it."""
    text = Text(safe_text(choice.title), style="bold")
    if choice.note:
        text.append(f"  {safe_text(choice.note)}", style="not bold dim")
    for line in choice.lines:
        text.append("\n")
        style = "not bold" if is_chosen else "not bold dim"
        text.append_text(line if isinstance(line, Text) else Text(safe_text(line), style=style))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(CHOSEN if is_chosen else OTHER, text)
    return table
