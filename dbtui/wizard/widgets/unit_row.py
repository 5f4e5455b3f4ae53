"""A question that can be answered in steps or in passes."""

from collections.abc import Iterator
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.message import Message

from dbtui.forms.form import Form, State
from dbtui.forms.sentences import shown
from dbtui.forms.widgets.choice_line import ChoiceLine
from dbtui.forms.widgets.edited import Edited
from dbtui.wizard.training.matters import Matter, path_of_key
from dbtui.wizard.training.units import key_in_use
from dbtui.wizard.widgets.setting_row import SettingRow, of_preset
from trainer_core.config.fields import all_fields
from trainer_core.config.words import Path

_UNIT: Path = ("unit",)


class UnitRow(SettingRow):
    """A number, and beside it the unit that it is in."""

    DEFAULT_CSS = """
    UnitRow {
        & > Line { width: 12; }
        & > ChoiceLine { width: 21; }
    }
    """

    @dataclass
    class UnitChosen(Message):
        """The person wants to answer with the setting `key` of the row's two."""

        matter: Matter
        key: str

    def __init__(self, matter: Matter, form: Form) -> None:
        self.key = key_in_use(form, matter)
        super().__init__(matter, form)
        self._keys = {all_fields()[key].unit: key for key in matter.keys}
        self.unit = ChoiceLine(_UNIT, list(self._keys), all_fields()[self.key].unit)

    def compose(self) -> ComposeResult:
        """Yield number and unit."""
        yield from super().compose()
        yield self.unit

    @property
    def path(self) -> Path:
        """The setting in the unit that is chosen."""
        return path_of_key(self.key)

    def use(self, key: str) -> None:
        """Edit the setting `key` from now on."""
        self.key = key
        self.unit.value = all_fields()[key].unit
        self.show(text=True)

    def use_what_holds(self) -> None:
        """Edit the one of the two settings that has a value."""
        self.use(key_in_use(self.form, self.matter))

    def remarks(self, state: State) -> Iterator[str]:
        """Yield the preset's value, and what the other unit asks for besides."""
        yield self._besides()
        yield of_preset(state)

    def _besides(self) -> str:
        other = self.form.state(path_of_key(next(key for key in self.matter.keys if key != self.key)))
        is_other = all_fields()[self.matter.or_key].about.instead_of  # then only one can be given
        return "" if other.value is None or is_other else f"and every {shown(other.value, other.field)}"

    @on(Edited)
    def _other_unit(self, event: Edited) -> None:
        if event.path == _UNIT:
            event.stop()
            self.post_message(self.UnitChosen(self.matter, self._keys[event.text]))
