"""A few lines that are told anew while a person types, and take room only while there is something to tell."""

from collections.abc import Hashable

from rich.console import RenderableType
from rich.text import Text
from textual.widgets import Static


class Told(Static):
    """Shows what it was told last; being told the same again costs nothing, not even a new layout."""

    DEFAULT_CSS = """
    Told { height: auto; display: none; }
    Told.-any { display: block; }
    """

    def __init__(self, *, id: str, classes: str = "") -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._told: Hashable = None

    def tell(self, words: str, shown: RenderableType | None = None) -> None:
        """Show `words`, which are safe, or `shown` in their place; nothing where the words are empty."""
        if words == self._told:
            return
        self._told = words
        self.set_class(bool(words), "-any")
        self.update(Text(words) if shown is None else shown)
