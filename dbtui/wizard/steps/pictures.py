"""Step 4: the folder of the pictures, and what the trainer will see of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label, Static

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures import caption_edits, chosen
from dbtui.wizard.pictures.examination import Examination, problems_of_step
from dbtui.wizard.pictures.found import Progress, scan_draft
from dbtui.wizard.pictures.look import look_at
from dbtui.wizard.pictures.words import can_skip, everything, own_prompt
from dbtui.wizard.step_screen import StepScreen
from dbtui.wizard.steps.pictures_help import HELP, START
from dbtui.wizard.subjects import several
from dbtui.wizard.widgets.caption_input import CaptionInput
from dbtui.wizard.widgets.found_view import FoundView
from dbtui.wizard.widgets.gallery import Gallery
from dbtui.wizard.widgets.path_input import PathInput
from trainer_core.data.captions import CaptionError
from trainer_core.data.listing import counted
from trainer_core.errors import UserError
from trainer_core.text import safe_text

_TYPING = 0.5
"""Seconds after the last letter until the folder is looked into."""
_MOST_REPEATS = 10_000


class PicturesScreen(StepScreen):
    """Asks for a folder and shows everything in it: folders, faults, and each picture as it will be cropped."""

    NAME = "pictures"
    HELP = HELP
    CSS_PATH = "pictures.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "caption", "caption", id="pictures.caption", tooltip="Edit the picture's caption"),
        Binding("w", "write", "write", id="pictures.write", tooltip="Write edited captions to their files"),
        Binding("s", "skip", "skip bad", id="pictures.skip", tooltip="Leave out pictures that cannot be read"),
        Binding("p", "list", "list all", id="pictures.list", tooltip="Everything that was found"),
        Binding("l", "lay_out", "lay out", id="pictures.lay_out", tooltip="Make folders named for the trainer"),
        Binding("d", "decode", "decode", id="pictures.decode", tooltip="Look for damage, copies and blur"),
        Binding("pageup", "walk(-1)", "before", id="pictures.before", show=False, tooltip="The subject before"),
        Binding("pagedown", "walk(1)", "next subject", id="pictures.after", tooltip="The next subject's folder"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.examined = Examination()
        self._accepted: list[str] = []
        self._opened: caption_edits.Opened | None = None

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
        from dbtui.wizard.widgets.large_picture import LargePicture

        yield LargePicture(id="large")

    def on_mount(self) -> None:
        """Show what was answered, and look into it."""
        super().on_mount()
        self.set_interval(0.25, self._tell)
        self._fill()
        if chosen.folder_of(self.draft, self.number):
            self._examine(0.0, show=True)

    def on_unmount(self) -> None:
        """Stop looking."""
        self._stop()

    def show_key(self, key: str) -> None:
        """Put the cursor on the folder, or on the repeats."""
        self.set_focus(self.query_one("#concept--repeats" if key == "concept.repeats" else "#folder"))

    # The folder.

    def _fill(self) -> None:
        """Put the answers about the present subject into the fields."""
        count, number = chosen.subjects(self.draft), self.number
        with self.prevent(Input.Changed):
            self.query_one("#folder", PathInput).set_silently(chosen.folder_of(self.draft, number))
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
        chosen.choose_plain(self.draft, several.place_of(self.draft), event.value.strip())
        self.changed()
        self._examine(_TYPING)

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
        several.go_to(self.draft, self.number + by)
        self._fill()
        self._examine(0.0)

    # Looking into it.

    def _stop(self) -> None:
        if self.examined.progress is not None:
            self.examined.progress.stop.set()

    @work(exclusive=True, group="examine", exit_on_error=False)
    async def _examine(self, wait: float, *, show: bool = False, deep: bool = False) -> None:
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
            except (UserError, OSError) as error:
                examined.fail(error)
        examined.progress = None
        self._show()
        if show and examined.found and examined.found.pictures:
            self.query_one(Gallery).focus()

    def _settle_kind(self, examined: Examination) -> None:
        """Remember whether the folder's folders say everything."""
        if examined.looked and examined.looked.kind == "layout" and not chosen.is_laid_out(self.draft):
            chosen.choose_laid_out(self.draft, examined.folder)
            self.changed()
            self._fill()

    def _tell(self) -> None:
        """Say how far the scan is."""
        if self.examined.progress is not None:
            self.query_one("#about", Static).update(Text(self.examined.way()))

    def _show(self) -> None:
        """Show what was found."""
        self._show_repeats()
        view = self.query_one(FoundView)
        view.show(self.examined.found, self.draft)
        self.query_one("#about", Static).update(Text(view.about(self.examined, self.draft) or START))
        self.refresh_bindings()

    @on(Gallery.Selected)
    def _selected(self, event: Gallery.Selected) -> None:
        for large in self.query("#large"):
            large.show(self.examined.found, event.number, self.draft)  # type: ignore[attr-defined]

    # Going on.

    def problems(self) -> Sequence[str]:
        """Return what is missing or wrong."""
        return problems_of_step(self.draft, self.examined)

    def action_next(self) -> None:
        """Go on; from the folder's field first look into it."""
        if self.examined.folder and not self.examined.is_done and self.focused is self.query_one("#folder"):
            self._examine(0.0, show=True)
            return
        doubts = self._doubts()
        if doubts and doubts != self._accepted and not self.problems():
            self._accepted = doubts
            self.complain(f"{doubt}; enter again goes on all the same" for doubt in doubts)
            return
        super().action_next()

    def _doubts(self) -> list[str]:
        unsaved = len(caption_edits.edits(self.draft))
        doubts = ["the pictures are still being looked at"] if self.examined.progress else []
        if unsaved:
            doubts.append(f"{counted(unsaved, 'edited caption')} not in the files yet: w writes them")
        return doubts

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done."""
        found = self.examined.found
        possible: dict[str, Any] = {
            "caption": found and found.pictures,
            "write": caption_edits.edits(self.draft),
            "skip": found and (can_skip(found) or found.skips),
            "lay_out": found and found.pictures and not chosen.is_laid_out(self.draft),
            "decode": found and not found.is_deep,
            "list": found,
            "walk": chosen.subjects(self.draft) > 1,
        }
        return bool(possible.get(action, True))

    def action_skip(self) -> None:
        """Leave unreadable pictures out, or take that back."""
        is_skipped = self.draft.get("dataset.on_bad_image") == "skip"
        self.draft.set("dataset.on_bad_image", "error" if is_skipped else "skip")
        self.changed()
        self._examine(0.0, show=True)

    def action_decode(self) -> None:
        """Decode every picture."""
        self._examine(0.0, show=True, deep=True)

    def action_list(self) -> None:
        """Show everything that was found."""
        from dbtui.wizard.screens.lines import LinesScreen

        if self.examined.found:
            self.app.push_screen(LinesScreen("What was found", everything(self.examined.found)))

    @work(exit_on_error=False)
    async def action_lay_out(self) -> None:
        """Make a folder in the trainer's layout."""
        from dbtui.wizard.screens.lay_out import LayOutScreen

        if not self.examined.found:
            return
        made = await self.app.push_screen_wait(LayOutScreen(self.examined.found))
        if made:
            caption_edits.move(self.draft, made.moved)
            chosen.choose_laid_out(self.draft, str(made.folder))
            self.changed()
            self.notify(made.words, timeout=8)
            self._fill()
            self._examine(0.0, show=True)

    # Captions.

    def action_caption(self) -> None:
        """Edit the caption of the selected picture, in its place."""
        found, number = self.examined.found, self.query_one(Gallery).selected
        if not found:
            return
        seen = found.pictures[number]
        try:
            prompt = own_prompt(seen, found.dataset)
            self._opened = caption_edits.open_caption(seen.picture, found.dataset, prompt, self.draft)
        except CaptionError as error:
            self.complain([f"the caption of {safe_text(seen.picture.path.name, 80)} {safe_text(error)}"])
            return
        field = self.query_one(CaptionInput)
        field.value = self._opened.edit.text
        field.cursor_position = len(field.value)
        field.remove_class("-away")
        field.focus()
        if self._opened.lost:
            self.complain([f"{counted(self._opened.lost, 'character')} left out here that cannot be shown"])

    @on(CaptionInput.Kept)
    def _keep(self) -> None:
        if self._opened:
            caption_edits.keep(self.draft, self._opened, self.query_one(CaptionInput).value)
            self.changed()
        self._leave_caption()

    @on(CaptionInput.Left)
    def _leave_caption(self) -> None:
        self._opened = None
        self.complain(())
        self.query_one(CaptionInput).add_class("-away")
        gallery = self.query_one(Gallery)
        gallery.focus()
        self.query_one(FoundView).refresh_edits(self.draft)
        gallery.select(gallery.selected)
        self.refresh_bindings()

    @work(exit_on_error=False)
    async def action_write(self) -> None:
        """Write the edited captions into their files."""
        from dbtui.wizard.screens.write_captions import WriteCaptions

        saved = await self.app.push_screen_wait(WriteCaptions(list(caption_edits.edits(self.draft).values())))
        if saved:
            caption_edits.forget(self.draft, saved.written)
            self.changed()
            if saved.failed or saved.changed:
                self.complain(saved.problems)
            self._examine(0.0, show=True)
