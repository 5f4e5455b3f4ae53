"""What there is to know of the setting where the cursor is."""

from rich.text import Text
from textual.widgets import Static

from dbtui.forms.form import State
from dbtui.forms.sentences import explained


class SettingWords(Static):
    """Help, bounds, default and preset's value of one setting; with its key in front, unless that is elsewhere."""

    DEFAULT_CSS = """
    SettingWords { height: auto; color: $text-muted; }
    """

    def __init__(
        self,
        *,
        between: str = "\n",
        with_key: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(markup=False, id=id)
        self._between, self._with_key = between, with_key

    def show(self, state: State | None) -> None:
        """Show the words of a setting, or none; where their room is given, nothing else moves."""
        words = Text()
        if state is not None:
            words.append(state.field.key + self._between if self._with_key else "", style="bold")
            words.append(self._between.join(explained(state)))
        self.update(words, layout=self.styles.is_auto_height)
