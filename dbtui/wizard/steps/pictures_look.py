"""The part of step 4 that asks for the folder and looks into it."""

import asyncio

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Static
from textual.worker import Worker, WorkerState

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures import caption_edits, chosen
from dbtui.wizard.pictures.examination import Examination
from dbtui.wizard.pictures.found import Progress, StoppedError, scan_draft
from dbtui.wizard.pictures.look import look_at
from dbtui.wizard.step_screen import StepScreen
from dbtui.wizard.steps.pictures_help import START
from dbtui.wizard.subjects import several
from dbtui.wizard.widgets.caption_input import CaptionInput
from dbtui.wizard.widgets.found_view import FoundView
from dbtui.wizard.widgets.gallery import Gallery
from dbtui.wizard.widgets.large_picture import LargePicture
from dbtui.wizard.widgets.path_input import PathInput
from trainer_core.errors import UserError
from trainer_core.text import safe_text

_TYPING = 0.5
"""Seconds after the last letter until the folder is looked into."""
_MOST_REPEATS = 10_000


class LooksIntoFolder(StepScreen):
    """Asks for each subject's folder, or one for all; what is in it is found in the background.

    Attributes:
        examined: what is known of the folder.
    """

    def __init__(self) -> None:
        super().__init__()
        self.examined = Examination()
        self._filled = ""

    @property
    def number(self) -> int:
        """The subject whose folder is asked for."""
        return 0 if chosen.is_laid_out(self.draft) else several.place_of(self.draft)

    def body(self) -> ComposeResult:
        """Yield the question, then what was found."""
        with Horizontal(classes="row"):
            yield Label("Where are the pictures?", id="question", classes="question -first")
            yield Label("", id="place")
        with Horizontal(classes="row"):
            yield PathInput(placeholder="a folder", id="folder")
            yield Label("repeats", id="repeats-question")
            yield Input(type="integer", max_length=5, id="concept--repeats")
        yield Static(START, id="about", markup=False)
        yield FoundView(id="found")
        yield CaptionInput(
            id="caption-input", classes="-away", max_length=caption_edits.LONGEST, select_on_focus=False
        )

    def side(self) -> ComposeResult:
        """Yield the selected picture, larger."""
        yield LargePicture(id="large")

    def on_mount(self) -> None:
        """Show what was answered, and look into it."""
        self.set_interval(0.25, self._tell)
        missing = chosen.without_folder(self.draft)
        if self.number in missing:
            several.go_to(self.draft, missing[0])
        self.fill()
        if chosen.folder_of(self.draft, self.number):
            self.examine(0.0, show=True)

    def on_unmount(self) -> None:
        """Stop looking."""
        self._stop()

    def show_key(self, key: str) -> None:
        """Put the cursor on the folder, or on the repeats."""
        self.set_focus(self.query_one("#concept--repeats" if key == "concept.repeats" else "#folder"))

    def fill(self) -> None:
        """Put the answers about the present subject into the fields."""
        count, number = chosen.subjects(self.draft), self.number
        with self.prevent(Input.Changed):
            folder = self.query_one("#folder", PathInput)
            folder.set_silently(chosen.folder_of(self.draft, number))
            self._filled = folder.value
            self.query_one("#concept--repeats", Input).value = str(chosen.repeats_of(self.draft, number))
        try:
            words = chosen.words_of(self.draft)[number:][:1]
        except UserError:  # the preset is gone: told where presets are chosen
            words = []
        of = (
            f' of "{safe_text(words[0], 50)}"' if words and words[0] and not chosen.is_laid_out(self.draft) else ""
        )
        self.query_one("#question", Label).update(Text(f"Where are the pictures{of}?"))
        self.query_one("#place", Label).update(Text(f"subject {number + 1} of {count}" if count > 1 else ""))
        self._show_repeats()
        self.refresh_bindings()

    def _show_repeats(self) -> None:
        for part in ("#repeats-question", "#concept--repeats"):
            self.query_one(part).set_class(chosen.is_laid_out(self.draft), "-away")

    @on(Input.Changed, "#folder")
    def _typed(self, event: Input.Changed) -> None:
        if event.value != event.input.value:
            return  # another subject's folder stands there meanwhile
        self.keep_folder()
        self.changed()
        self.examine(_TYPING)

    def keep_folder(self) -> None:
        """Write the folder down that stands there: the news of the last letter may still be on its way."""
        typed = self.query_one("#folder", Input).value
        if typed != self._filled:
            self._filled = typed
            chosen.choose_plain(self.draft, several.place_of(self.draft), typed.strip())

    @on(Input.Changed, "#concept--repeats")
    def _repeat(self, event: Input.Changed) -> None:
        typed = event.value.strip()
        if typed and not (typed.isdecimal() and 1 <= int(typed) <= _MOST_REPEATS):
            self.complain([f"repeats: a whole number from 1 to {_MOST_REPEATS:,}"])
            return
        chosen.set_repeats(self.draft, self.number, int(typed) if typed else None)
        self.changed()
        if found := self.examined.found:
            self.examined.found = found.with_repeats(self.examined.folder, int(typed or 1))
            self.query_one(FoundView).show(self.examined.found, self.draft)

    def action_walk(self, by: int) -> None:
        """Ask for another subject's folder."""
        self.keep_folder()
        several.go_to(self.draft, self.number + by)
        self.fill()
        self.examine(0.0)

    def _stop(self) -> None:
        if self.examined.progress is not None:
            self.examined.progress.stop.set()

    @work(exclusive=True, group="examine", exit_on_error=False)
    async def examine(self, wait: float, *, show: bool = False, deep: bool = False) -> None:
        """Look into the folder, then at every picture; `show` puts the cursor on the pictures."""
        self._stop()
        folder = chosen.folder_of(self.draft, self.number)
        self.examined = examined = Examination(folder, Progress())
        self._tell()
        await asyncio.sleep(wait)
        if folder:
            examined.looked = await in_thread(look_at, folder)
            self._settle_kind(examined)
        if any(chosen.folder_of(self.draft, n) for n in range(chosen.subjects(self.draft))):
            assert examined.progress is not None
            try:
                found = await in_thread(scan_draft, self.draft.copy(), examined.progress, deep=deep)
                examined.found = found if found.scan.train or found.scan.faults else None
            except StoppedError:
                return
            except (UserError, OSError) as error:
                examined.fail(error)
        examined.progress = None
        self._show()
        is_elsewhere = isinstance(self.focused, Input) and not isinstance(self.focused, PathInput)
        if show and examined.found and examined.found.pictures and not is_elsewhere:
            self.query_one(Gallery).focus()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what nobody thought of, instead of waiting for ever."""
        if event.state is WorkerState.ERROR:
            self.examined.progress = None
            self.complain([f"this went wrong: {safe_text(repr(event.worker.error), 300)}"])

    def _settle_kind(self, examined: Examination) -> None:
        """Remember whether the folder's folders say everything."""
        if examined.looked and examined.looked.kind == "layout" and not chosen.is_laid_out(self.draft):
            chosen.choose_laid_out(self.draft, examined.folder)
            self.changed()
            self.fill()

    def _tell(self) -> None:
        """Say how far the scan is."""
        if self.examined.progress is not None:
            self.query_one("#about", Static).update(Text(self.examined.way()))

    def _show(self) -> None:
        """Show what was found."""
        self._show_repeats()
        view = self.query_one(FoundView)
        view.show(self.examined.found, self.draft, self.examined.folder)
        self.query_one("#about", Static).update(Text(view.about(self.examined, self.draft) or START))
        self.refresh_bindings()

    @on(Gallery.Selected)
    def _selected(self, event: Gallery.Selected) -> None:
        self.query_one(LargePicture).show(self.examined.found, event.number, self.draft)
