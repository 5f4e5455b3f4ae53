"""All settings as one list: a line each, under their headings."""

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from dbtui.forms.form import place_of
from dbtui.forms.listing import Adder, Entry, Heading, Line, Listing
from dbtui.forms.sentences import shown
from dbtui.wizard.widgets.setting_row import CURSOR, sign_of
from trainer_core.text import safe_text

_LABEL = 41
"""Cells of the longest key, and one."""


class SettingsList(OptionList, can_focus=False):
    """The list; it never has the focus: the search above has it, and moves the cursor here."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries: dict[str, Line | Adder] = {}
        self._marked = ""

    @property
    def place(self) -> str:
        """The place with the cursor, "" if there is none."""
        option = self.highlighted_option
        return option.id or "" if option else ""

    @property
    def entry(self) -> Line | Adder | None:
        """What the cursor is on."""
        return self._entries.get(self.place)

    def show(self, found: Listing, place: str, otherwise: Line | Adder | None) -> None:
        """List what was found, with the cursor at `place` if that is there."""
        self._entries = {at(entry): entry for entry in found.entries if not isinstance(entry, Heading)}
        self._marked = ""
        self.set_options(_option(entry) for entry in found.entries)
        if entry := self._entries.get(place) or otherwise:
            self.highlighted = self.get_option_index(at(entry))

    def mark(self) -> None:
        """Put the sign of the cursor in front of the entry that has it."""
        place = self.place
        for each in {self._marked, place} & self._entries.keys():
            self.replace_option_prompt(each, _text(self._entries[each], has_cursor=each == place))
        self._marked = place

    def renew(self, line: Line) -> None:
        """Show another state of the setting with the cursor."""
        self._entries[self.place] = line
        self.mark()


def at(entry: Line | Adder) -> str:
    """Return the place of an entry: that of its setting, or a sign and the table that is added to."""
    return place_of(entry.state.path) if isinstance(entry, Line) else f"+{entry.table.key}"


def _option(entry: Entry) -> Option:
    return Option(_text(entry), None if isinstance(entry, Heading) else at(entry), isinstance(entry, Heading))


def _text(entry: Entry, *, has_cursor: bool = False) -> Text:
    cursor = CURSOR if has_cursor else " "
    if isinstance(entry, Heading):
        return Text(entry.text, style="bold")
    if isinstance(entry, Adder):
        return Text(f"{cursor}+ add {entry.table.header}")
    state = entry.state
    sign = "-" if state.unused and not state.problem else sign_of(state)
    text = Text(f"{cursor}{sign} {entry.label:<{_LABEL}}")
    value = safe_text(state.text) if state.problem else shown(state.value, state.field)
    return text.append(value, style="bold" if state.is_changed else "")
