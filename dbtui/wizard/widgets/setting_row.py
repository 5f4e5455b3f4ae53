"""One question of the training step: its words, its editor, and what there is to say of the answer."""

from collections.abc import Iterator
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.widget import Widget

from dbtui.forms.form import Form, State
from dbtui.forms.sentences import shown, unit_of
from dbtui.forms.widgets.choice_line import ChoiceLine
from dbtui.forms.widgets.editors import Editor, editor_for
from dbtui.wizard.training.matters import Matter
from trainer_core.config.words import Path
from trainer_core.text import safe_text

_EDITOR_AT = 19
CURSOR, CHANGED, WRONG = "▸", "•", "!"


class SettingRow(Widget):
    """A row; the screen tells it when the answers changed or the cursor moved (`show`).

    It draws the words around its editor itself: few widgets make a screen that is there at once.
    """

    DEFAULT_CSS = """
    SettingRow {
        layout: horizontal;
        height: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        & > Line { width: 20; margin-right: 1; }
        & > ChoiceLine { width: auto; margin-right: 1; }
        & > .-first { margin-left: 18; }
        & > Line.-long { width: 1fr; }
        &.-wrong { height: 2; }
        & > .row--wrong { color: $text-error; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row--wrong"}

    def __init__(self, matter: Matter, form: Form) -> None:
        super().__init__()
        self.matter, self.form = matter, form
        self.editor: Editor = editor_for(self.state)
        self.editor.add_class("-first")
        self.editor.set_class(self.state.field.value.kind == "text", "-long")
        self.set_class(matter.begins_group, "-begins")

    def compose(self) -> ComposeResult:
        """Yield the editor."""
        self.show()
        yield self.editor

    @property
    def path(self) -> Path:
        """The setting that the row edits just now."""
        return self.matter.path

    @property
    def title(self) -> str:
        """What the row is called."""
        return self.matter.words

    @property
    def state(self) -> State:
        """How that setting stands."""
        return self.form.state(self.path)

    def show(self, *, text: bool = False) -> None:
        """Show how the setting stands; with `text`, put its value into the editor too."""
        state = self.state
        self.set_class(bool(state.problem), "-wrong")
        self.editor.show_state(state, text=text)
        self.refresh()

    def render(self) -> Text:
        """Draw the words in front of the editor, the remarks behind it and what is wrong below."""
        state = self.state
        cursor = CURSOR if self.has_focus_within else " "
        row = Text(f"{cursor}{sign_of(state)} {self.title}")
        row.pad_right(max(0, self.children[-1].virtual_region.right + 1 - row.cell_len))
        row.append(" · ".join(filter(None, self.remarks(state))), style="dim")
        if state.problem:
            wrong = self.get_component_rich_style("row--wrong", partial=True)
            row.append(f"\n{' ' * _EDITOR_AT}{safe_text(state.problem)}", style=wrong)
        return row

    def remarks(self, state: State) -> Iterator[str]:
        """Yield what stands beside the editor."""
        if not isinstance(self.editor, ChoiceLine):
            yield unit_of(state.value, state.field)
        yield of_preset(state)


def of_preset(state: State) -> str:
    """Return what the key to take the preset's value back would bring; "" where that is here already."""
    return f"ctrl+r: back to {shown(state.below, state.field, with_unit=False)}" if state.is_changed else ""


def sign_of(state: State) -> str:
    """Return the sign in front of a setting: wrong, changed, or a space."""
    return WRONG if state.problem else CHANGED if state.is_changed else " "
