"""A path for one setting, completed while it is typed."""

from collections.abc import Collection

from dbtui.forms.form import State
from dbtui.forms.widgets.line import Line, showable
from dbtui.wizard.widgets.path_input import PathInput
from trainer_core.config.declare import PathKind
from trainer_core.config.rules import MODEL_SUFFIXES

_SUFFIXES: dict[PathKind, Collection[str] | None] = {"folder": (), "file": None, "model": MODEL_SUFFIXES}


class PathLine(Line, PathInput):
    """A folder, a file, or a model."""

    def __init__(self, state: State) -> None:
        super().__init__(showable(state.text), suffixes=_SUFFIXES[state.field.path])
        self._told = self.value
        self.show_state(state)

    def put(self, text: str) -> None:
        """Take a text that the person did not type; nothing is listed for it."""
        self._told = text
        self.set_silently(text)
