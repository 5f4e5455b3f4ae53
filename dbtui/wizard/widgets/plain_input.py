"""A line to type into that takes nothing a terminal could act on, and says so."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from trainer_core.text import is_plain, safe_text

_SHOWN = 60


class PlainInput(Input):
    """An Input that refuses control characters, direction marks and other invisible ones, and several lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "next", id="plain_input.next", tooltip="Go on to the next step"),
    ]

    @dataclass
    class Refused(Message):
        """What was typed or pasted was not taken; `text` says what and why, safe to show."""

        input: "PlainInput"
        text: str

    def validate_value(self, value: str) -> str:
        """Leave out what no terminal should get, wherever it comes from: a draft's file, the name of a folder."""
        return typeable(value)

    def replace(self, text: str, start: int, end: int) -> None:
        """Take `text` if it can be shown as it is."""
        if is_plain(text):
            super().replace(text, start, end)
        else:
            self._refuse(text, "it holds characters that cannot be seen (control codes or direction marks)")

    def restricted(self) -> None:
        """Say that the text is too long, where the plain Input would ring."""
        self.post_message(self.Refused(self, f"Not taken: at most {self.max_length} characters fit in here"))

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()  # the plain Input would take the first line and drop the rest
        lines = [line for line in event.text.split("\n") if line.strip()]
        if len(lines) > 1:
            self._refuse(event.text, f"it has {len(lines)} lines, and this is one line")
        elif lines:
            self.replace(lines[0].strip("\r\t "), *self.selection)

    def _refuse(self, text: str, why: str) -> None:
        self.post_message(self.Refused(self, f'Not taken: "{safe_text(text, _SHOWN)}": {why}'))


def typeable(value: str) -> str:
    """Return the text without characters that cannot be seen."""
    return value if is_plain(value) else "".join(each for each in value if is_plain(each))
