"""The first preview, how many more there are, and what the next one would be."""

from collections.abc import Iterator

from dbtui.forms.form import Form, State
from dbtui.forms.widgets.text_line import TextLine
from dbtui.wizard.training.matters import Matter
from dbtui.wizard.training.previews import ANYTHING, prompts
from dbtui.wizard.widgets.setting_row import SettingRow
from trainer_core.text import safe_text


class PreviewRow(SettingRow):
    """Where there is no preview yet, the empty line says what one key would write."""

    def __init__(self, matter: Matter, form: Form) -> None:
        self.proposed = ANYTHING
        super().__init__(matter, form)

    def propose(self, prompt: str) -> None:
        """Take what the next preview would be."""
        self.proposed = prompt
        self.show()

    def show(self, *, text: bool = False) -> None:
        """Show the first preview."""
        super().show(text=text)
        if not prompts(self.form) and isinstance(self.editor, TextLine):
            self.editor.placeholder = f"none; ctrl+n writes: {safe_text(self.proposed)}"

    @property
    def title(self) -> str:
        """Say how many there are; the others are among all settings."""
        count = len(prompts(self.form))
        return f"{self.matter.words} 1 of {count}" if count > 1 else self.matter.words

    def remarks(self, state: State) -> Iterator[str]:
        """Yield nothing: the prompt has the room."""
        yield from ()
