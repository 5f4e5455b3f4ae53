"""Keeps the draft of this application on disk: which file is its own, and what is written when."""

from contextlib import suppress

from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import DraftFile, LeftDraft, left_drafts
from trainer_core.text import safe_text


class DraftKeeper:
    """The file of the draft that is being answered; it is made with the first answer."""

    def __init__(self) -> None:
        self.file: DraftFile | None = None
        self._is_told = False

    def save(self, draft: Draft) -> str:
        """Write the draft; return what went wrong, once."""
        if not draft.is_begun:
            self.forget()
            return ""
        try:
            self.file = self.file or DraftFile.new()
            self.file.save(draft)
        except OSError as error:
            return self._told(error)
        return ""

    def take(self, left: LeftDraft) -> bool:
        """Go on with a draft that was left; False if another dbtui does so by now, or it is gone."""
        if self.file and self.file.path == left.path:
            return True
        file = DraftFile.take(left.path)
        if file:
            self.leave()
            self.file = file
        return file is not None

    def discard(self, left: LeftDraft) -> None:
        """Remove a draft that was left, unless another dbtui goes on with it by now."""
        if self.file and self.file.path == left.path:
            self.forget()
        elif file := DraftFile.take(left.path):
            file.forget()

    def left(self) -> list[LeftDraft]:
        """Return the drafts that can be gone on with, this one among them."""
        return left_drafts(self.file)

    def leave(self) -> None:
        """Leave the draft on disk for later, and begin another with the next answer."""
        if self.file:
            self.file.release()
            self.file = None

    def forget(self) -> None:
        """Remove the draft: its run was started, or it is not wanted."""
        if self.file:
            with suppress(OSError):
                self.file.forget()
            self.file = None

    def _told(self, error: OSError) -> str:
        if self._is_told:
            return ""
        self._is_told = True
        why = safe_text(error.strerror or error)
        return f"your answers cannot be kept on disk ({why}); they last until you leave"
