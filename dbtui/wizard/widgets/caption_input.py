"""The caption of a picture while it is edited."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from dbtui.wizard.widgets.plain_input import PlainInput


class CaptionInput(PlainInput):
    """A line for a caption. Enter keeps it, escape leaves it as it was; neither leaves the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "keep", "keep the caption", id="caption.keep", tooltip="Keep it; w writes it to its file"
        ),
        Binding("escape", "leave", "leave it as it was", id="caption.leave", tooltip="Forget what was typed"),
    ]

    class Kept(Message):
        """The caption shall be as it stands here."""

    class Left(Message):
        """The caption shall be as it was."""

    def action_keep(self) -> None:
        """Keep what was typed."""
        self.post_message(self.Kept())

    def action_leave(self) -> None:
        """Forget what was typed."""
        self.post_message(self.Left())
