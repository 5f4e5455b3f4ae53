"""Step 4: the folder of the pictures, and what the trainer will see of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures import caption_edits, chosen
from dbtui.wizard.pictures.examination import problems_of_step
from dbtui.wizard.pictures.laying_out import proposed_target
from dbtui.wizard.pictures.words import can_skip, everything, own_prompt
from dbtui.wizard.steps.pictures_help import HELP
from dbtui.wizard.steps.pictures_look import LooksIntoFolder
from dbtui.wizard.widgets.caption_input import CaptionInput
from dbtui.wizard.widgets.found_view import FoundView
from dbtui.wizard.widgets.gallery import Gallery
from trainer_core.data.captions import CaptionError
from trainer_core.data.listing import counted
from trainer_core.text import safe_text

_PATIENCE = 2.0
"""Seconds for which a caption on a slow disk is waited for."""


class PicturesScreen(LooksIntoFolder):
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
        self._accepted: list[str] = []
        self._opened: caption_edits.Opened | None = None

    def problems(self) -> Sequence[str]:
        """Return what is missing or wrong."""
        return problems_of_step(self.draft, self.examined)

    def action_next(self) -> None:
        """Go on; from the folder's field first look into it."""
        self.keep_folder()
        if self.focused is self.query_one("#folder") and self._looks_first():
            return
        missing = chosen.without_folder(self.draft)
        if missing and self.number not in missing:
            self.action_walk(missing[0] - self.number)
            self.set_focus(self.query_one("#folder"))
            self.complain(self.problems())
            return
        doubts = self._doubts()
        if doubts and doubts != self._accepted and not self.problems():
            self._accepted = doubts
            self.complain(f"{doubt}; enter again goes on all the same" for doubt in doubts)
            return
        super().action_next()

    def _looks_first(self) -> bool:
        """Look into a folder that was typed and not seen yet; whether there is one."""
        folder = chosen.folder_of(self.draft, self.number)
        if not folder or (self.examined.is_done and self.examined.folder == folder):
            return False
        self.examine(0.0, show=True)
        return True

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
        self.examine(0.0, show=True)

    def action_decode(self) -> None:
        """Decode every picture."""
        self.examine(0.0, show=True, deep=True)

    def action_list(self) -> None:
        """Show everything that was found."""
        from dbtui.wizard.screens.lines import LinesScreen

        if self.examined.found:
            self.app.push_screen(LinesScreen("What was found", everything(self.examined.found)))

    @work(exit_on_error=False)
    async def action_lay_out(self) -> None:
        """Make a folder in the trainer's layout."""
        from dbtui.wizard.screens.lay_out import LayOutScreen

        found = self.examined.found
        if not found:
            return
        if chosen.without_folder(self.draft):
            self.complain(self.problems())
            return
        proposed = await in_thread(proposed_target, found.scan.train[0].path)
        made = await self.app.push_screen_wait(LayOutScreen(found, proposed))
        if made:
            caption_edits.move(self.draft, made.moved)
            chosen.choose_laid_out(self.draft, str(made.folder))
            self.changed()
            self.notify(made.words, timeout=8)
            self.fill()
            self.examine(0.0, show=True)

    # Captions.

    async def action_caption(self) -> None:
        """Edit the caption of the selected picture, in its place. Keys wait for it: what comes next is typed."""
        found, number = self.examined.found, self.query_one(Gallery).selected
        if not found:
            return
        seen = found.pictures[number]
        try:
            prompt = own_prompt(seen, found.dataset)
            opening = in_thread(caption_edits.open_caption, seen.picture, found.dataset, prompt, self.draft.copy())
            self._opened = await asyncio.wait_for(opening, _PATIENCE)
        except (CaptionError, TimeoutError) as error:
            why = "cannot be read: the disk does not answer" if isinstance(error, TimeoutError) else str(error)
            self.complain([f"the caption of {safe_text(seen.picture.path.name, 80)} {safe_text(why)}"])
            return
        field = self.query_one(CaptionInput)
        field.value = self._opened.edit.text
        field.cursor_position = len(field.value)
        field.remove_class("-away")
        self.set_focus(field)  # at once: the next key may wait already
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
            self.examine(0.0, show=True)
