"""A line of text for one setting."""

from dbtui.forms.form import State
from dbtui.forms.widgets.line import Line, showable
from dbtui.wizard.widgets.plain_input import PlainInput


class TextLine(Line, PlainInput):
    """Text, a number or several, typed."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.put(showable(state.text))
        self.show_state(state)
