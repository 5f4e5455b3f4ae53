"""What the lines of text of settings have in common."""

from textual.widgets import Input

from dbtui.forms.form import State
from dbtui.forms.sentences import EMPTY, UNSET, shown
from dbtui.forms.widgets.edited import Edited
from trainer_core.config.words import Path
from trainer_core.text import is_plain

_HIDDEN = "holds characters that cannot be shown; type to replace it"


class Line(Input):
    """An Input that tells of each change with the setting's path.

    What cannot be shown as it is (control characters of a file) is not put into it: it stays until something is
    typed in its place.
    """

    DEFAULT_CSS = """
    Line {
        height: 1;
        border: none;
        padding: 0 1;
        &:focus { border: none; }
        &.-wrong, &.-wrong:focus { background: $error 30%; }
    }
    """
    path: Path
    _told = ""

    def show_state(self, state: State, *, text: bool = False) -> None:
        """Show whether the text is a value, and what holds where it is empty; with `text`, the value too.

        It may be the state of another setting: then that one is edited from now on.
        """
        self.path = state.path
        self.set_class(bool(state.problem), "-wrong")
        below = shown(state.below, state.field)
        self.placeholder = (UNSET if below == EMPTY else below) if is_plain(state.text) else _HIDDEN
        if text and (plain := showable(state.text)) != self.value:
            self.put(plain)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell of the change with the path; an Input also tells of the value that it begins with."""
        event.stop()
        if event.value != self._told:
            self._told = event.value
            self.post_message(Edited(self.path, event.value))

    def put(self, text: str) -> None:
        """Take a text that the person did not type."""
        self._told = text
        with self.prevent(Input.Changed):
            self.value = text


def showable(text: str) -> str:
    """Return the text if it can stand in an Input, else nothing."""
    return text if is_plain(text) else ""
