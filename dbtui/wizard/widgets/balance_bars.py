"""Training against class pictures as bars, as wide as there is room."""

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from dbtui.wizard.class_pictures.weigh import Weighed
from dbtui.wizard.class_pictures.words import balance_lines


class BalanceBars(Widget):
    """Shows what was weighed; nothing before anything was."""

    DEFAULT_CSS = """
    BalanceBars { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.weighed: Weighed | None = None

    def show(self, weighed: Weighed | None) -> None:
        """Show this."""
        self.weighed = weighed
        self.refresh(layout=True)

    def render(self) -> Content:
        """Draw the bars."""
        return balance_lines(self.weighed, self.size.width) if self.weighed else Content("")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of bars."""
        return len(balance_lines(self.weighed, width).plain.splitlines()) if self.weighed else 0
