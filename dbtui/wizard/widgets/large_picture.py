"""The selected picture beside the others, larger, with everything that is to be said of it."""

from pathlib import Path

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from dbtui.wizard.draft import Draft
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures import caption_edits
from dbtui.wizard.pictures.found import Found
from dbtui.wizard.pictures.small import small_picture
from dbtui.wizard.pictures.words import caption_words
from dbtui.wizard.widgets.found_view import fit_of
from dbtui.wizard.widgets.thumbnail import Thumbnail
from trainer_core.data.buckets import Fit
from trainer_core.data.images import BadPictureError
from trainer_core.text import safe_text

_EMPTY = "The selected picture will be shown here, larger, as the trainer crops it."


class LargePicture(Widget):
    """Shows one picture as the trainer crops it, its name and its whole caption."""

    DEFAULT_CSS = """
    LargePicture {
        layout: vertical;
        height: auto;
        & > Thumbnail { height: 18; }
        & > Static { height: auto; margin-top: 1; color: $text; }
        & > .source { margin-top: 0; color: $text-muted; }
    }
    """

    def compose(self) -> ComposeResult:
        """Put the words below the picture."""
        yield Thumbnail()
        yield Static(classes="name", markup=False)
        yield Static(classes="source", markup=False)
        yield Static(_EMPTY, classes="text", markup=False)

    def show(self, found: Found | None, number: int, draft: Draft) -> None:
        """Show a picture of what was found; nothing if there is none."""
        if found is None or not found.pictures:
            self._tell("", "", _EMPTY)
            self.query_one(Thumbnail).show(None)
            return
        seen = found.pictures[number]
        edit = caption_edits.edits(draft).get(seen.picture.path)
        text, source = caption_words(seen, edit.text if edit else None)
        fit = fit_of(found, number)
        size = f"as it is trained, {fit.bucket[0]} x {fit.bucket[1]} pixels" if fit else ""
        self._tell(safe_text(seen.picture.path.name, 200), size, f"{text}\n({source})")
        if self.app.size.width >= 100:
            self._load(seen.picture.path, fit)

    def _tell(self, *texts: str) -> None:
        for widget, text in zip(self.query(Static).filter(".name, .source, .text"), texts, strict=False):
            widget.update(Text(text))

    @work(exclusive=True, group="large", exit_on_error=False)
    async def _load(self, path: Path, fit: Fit | None) -> None:
        try:
            picture = await in_thread(small_picture, path, fit)
        except BadPictureError as error:
            self.query_one(Thumbnail).tell(str(error))
        else:
            self.query_one(Thumbnail).show(picture)
