"""The drafts that were left, to go on with one or to discard it."""

import time
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Label, OptionList
from textual.widgets.option_list import Option

from dbtui.wizard.draft_file import LeftDraft
from dbtui.wizard.draft_keeper import DraftKeeper
from dbtui.wizard.draft_words import left_words
from dbtui.wizard.in_thread import in_thread


class ContinueDraft(ModalScreen[LeftDraft | None]):
    """Returns the draft to go on with; None to leave them where they are."""

    CSS_PATH = "continue_draft.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "continue", id="drafts.continue", tooltip="Go on where it was left"),
        Binding("d", "discard", "discard", id="drafts.discard", tooltip="Remove it; press d twice"),
        Binding("escape", "leave", "later", id="drafts.later", tooltip="Leave them where they are"),
    ]

    def __init__(self, keeper: DraftKeeper) -> None:
        super().__init__()
        self.keeper = keeper
        self.left: list[LeftDraft] = []
        self._about_to_discard: LeftDraft | None = None

    def compose(self) -> ComposeResult:
        """List them, the newest first."""
        with Vertical(classes="dialog"):
            yield Label("Runs that were not started yet", classes="title")
            yield Label("Enter goes on with one: your answers are as you left them.", id="hint", markup=False)
            yield OptionList(id="drafts")
        yield Footer()

    def on_mount(self) -> None:
        """Look for them."""
        self.query_one(OptionList).focus()
        self._look()

    @work(exclusive=True, group="drafts", exit_on_error=False)
    async def _look(self) -> None:
        self.left = left = await in_thread(self.keeper.left)
        now = time.time()
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Text(left_words(each, now))) for each in left)
        options.highlighted = 0 if left else None
        if not left:
            self._hint("There are none.")

    @property
    def _chosen(self) -> LeftDraft | None:
        place = self.query_one(OptionList).highlighted
        return self.left[place] if place is not None and place < len(self.left) else None

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        """Go on with the highlighted one."""
        if self._chosen:
            self.dismiss(self._chosen)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        if self._about_to_discard is not self._chosen:
            self._about_to_discard = None

    def action_discard(self) -> None:
        """Remove the highlighted one, if it is meant."""
        chosen = self._chosen
        if chosen is None:
            return
        if self._about_to_discard is not chosen:
            self._about_to_discard = chosen
            self._hint("Press d again to discard these answers for good; no picture and no run is touched.")
            return
        self._about_to_discard = None
        self.keeper.discard(chosen)
        self._hint("Discarded.")
        self._look()

    def action_leave(self) -> None:
        """Choose none."""
        self.dismiss(None)

    def _hint(self, text: str) -> None:
        self.query_one("#hint", Label).update(text)
