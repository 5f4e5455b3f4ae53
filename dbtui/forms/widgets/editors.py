"""Which widget edits which kind of setting."""

from collections.abc import Callable
from typing import Literal

from dbtui.forms.form import State
from dbtui.forms.widgets.choice_line import ChoiceLine
from dbtui.forms.widgets.path_line import PathLine
from dbtui.forms.widgets.text_line import TextLine
from trainer_core.config.fields import Kind

Editor = TextLine | PathLine | ChoiceLine

EDITORS: dict[Kind | Literal["path"], Callable[[State], Editor]] = {
    "text": TextLine,
    "path": PathLine,
    "number": TextLine,
    "whole number": TextLine,
    "list": TextLine,
    "true/false": ChoiceLine.for_state,
    "choice": ChoiceLine.for_state,
}


def editor_for(state: State) -> Editor:
    """Return a new widget that edits the setting."""
    field = state.field
    return EDITORS["path" if field.path else field.value.kind](state)
