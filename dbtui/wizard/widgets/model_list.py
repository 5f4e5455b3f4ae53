"""A list of models to choose from: name, kind, size, whose folder it lies in."""

from collections.abc import Sequence

from rich.cells import set_cell_size
from rich.text import Text

from dbtui.wizard.models.search import USED, ListedModel
from dbtui.wizard.widgets.row_list import RowList
from trainer_core.disk import gigabytes

_KIND, _SIZE, _OWNER = 17, 9, 15


class ModelList(RowList):
    """Models in a row each; a sign tells what can be trained: ✓ yes, ✗ no, ? will be known once it is loaded."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.models: list[ListedModel] = []

    @property
    def model(self) -> ListedModel | None:
        """The model under the cursor."""
        return next((model for model in self.models if model.base == self.key), None)

    def show_models(self, models: Sequence[ListedModel]) -> None:
        """Show these; the cursor stays on its model where that is still listed."""
        self.models = list(models)
        self._draw()

    def on_resize(self) -> None:
        """Fit the columns to the room that there is."""
        self._draw()

    def _draw(self) -> None:
        name = max(12, self.size.width - 4 - _KIND - _SIZE - _OWNER)
        self.show([model.base for model in self.models], [_row(model, name) for model in self.models])


def _row(model: ListedModel, width: int) -> Text:
    info = model.facts.info
    size = gigabytes(info.size_bytes) if info and info.size_bytes else ""
    row = Text(f"{model.facts.sign} ")
    row.append(f"{_cell(model.known.name, width)} {_cell(model.kind, _KIND)}", style="" if info else "dim")
    row.append(f"{size:>{_SIZE - 2}}  ")
    return row.append(USED if model.was_used else model.known.owner, style="dim")


def _cell(text: str, width: int) -> str:
    fitting = Text(text)
    fitting.truncate(width - 1, overflow="ellipsis")
    return set_cell_size(fitting.plain, width)
