"""A small picture: real where the terminal can, of half blocks elsewhere, only named where pictures are off."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PIL import Image
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from dbtui.wizard.images import real_picture
from dbtui.wizard.pictures.small import small_picture
from dbtui.wizard.widgets.half_blocks import fitted, half_blocks
from trainer_core.data.images import BadPictureError, probe
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_CELL = (1, 2)
"""A cell of a terminal is about twice as high as wide."""


class HalfBlocks(Widget):
    """Draws a picture of PIL's in all the cells that it has, its shape kept."""

    DEFAULT_CSS = "HalfBlocks { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.image: Image.Image | None = None
        self._drawn: tuple[Image.Image, Size, list[Strip]] | None = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture."""
        lines = self._lines()
        return lines[y] if y < len(lines) else Strip.blank(self.size.width)

    def _lines(self) -> list[Strip]:
        if self.image is None:
            return []
        if self._drawn is None or self._drawn[0] is not self.image or self._drawn[1] != self.size:
            self._drawn = self.image, self.size, half_blocks(self.image, *self.size)
        return self._drawn[2]


class Thumbnail(Widget):
    """Shows a picture in the cells that the style sheet gives it; its shape is kept.

    `Thumbnail(path)` loads the file in a worker: what is no sound picture is told in words, a decompression bomb
    is never decoded. `Thumbnail(picture)` takes a picture of PIL's, small enough to be drawn at once. `show(...)`
    shows another one. How it is drawn is `app.options.images`: kitty, sixel, half, or off (name and size only).
    """

    DEFAULT_CSS = """
    Thumbnail {
        width: 1fr; height: 1fr; align: center middle;
        & > .words { width: 1fr; height: auto; max-height: 100%; text-align: center; color: $text-muted; }
    }
    """

    @dataclass
    class _Loaded(Message):
        """A file was read: the small picture, or the words that stand in for it."""

        path: Path
        picture: Image.Image | str

    def __init__(
        self,
        source: Path | Image.Image | None = None,
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.source = source
        self.is_loaded = False
        """Whether the present source is shown, or told why it cannot be."""
        self._words = Static("", classes="words", markup=False)
        self._picture: Widget | None = None

    def compose(self) -> ComposeResult:
        """Hold the picture and the words that stand in for it; one of them is displayed."""
        images = cast("WizardApp", self.app).options.images
        if images != "off":
            self._picture = real_picture(images) or HalfBlocks()
            yield self._picture
        yield self._words

    def on_mount(self) -> None:
        """Show the picture."""
        self.show(self.source)

    def on_resize(self) -> None:
        """Give a real picture as many cells as its shape fills."""
        self._fit()

    def show(self, source: Path | Image.Image | None) -> None:
        """Show another picture; None for nothing."""
        self.source = source
        self.is_loaded = False
        if not self._words.is_attached:
            return  # it is shown as soon as it is on the screen
        self.workers.cancel_node(self)
        if isinstance(source, Path):
            self._load(source, self._picture is not None)
        elif source is None or self._picture is None:
            self.tell("" if source is None else _size_words(source.size))
        else:
            self._draw(source)

    def tell(self, words: str) -> None:
        """Show words in the picture's place."""
        self.is_loaded = True
        self._words.update(Text(safe_text(words, 300)))
        self._switch(to_picture=False)

    def _draw(self, picture: Image.Image) -> None:
        self.is_loaded = True
        assert self._picture is not None
        cast("Any", self._picture).image = picture
        self._picture.refresh()
        self._switch(to_picture=True)
        self._fit()

    def _switch(self, *, to_picture: bool) -> None:
        self._words.display = not to_picture
        if self._picture is not None:
            self._picture.display = to_picture

    def _fit(self) -> None:
        picture = self._picture
        if picture is None or isinstance(picture, HalfBlocks) or not self.size:
            return
        image: Image.Image | None = cast("Any", picture).image
        if image is not None:
            room = self.size.width * _CELL[0], self.size.height * _CELL[1]
            width, height = fitted(image.size, room)
            picture.styles.width, picture.styles.height = width, -(-height // _CELL[1])

    @work(thread=True, exclusive=True, group="thumbnail", exit_on_error=False)
    def _load(self, path: Path, is_drawn: bool) -> None:
        worker = get_current_worker()
        loaded: Image.Image | str
        try:
            loaded = small_picture(path) if is_drawn else f"{path.name} {_size_words(probe(path).size)}"
        except BadPictureError as error:
            loaded = f"{path.name} {error}"
        if not worker.is_cancelled:
            self.post_message(self._Loaded(path, loaded))

    @on(_Loaded)
    def _show_loaded(self, message: _Loaded) -> None:
        message.stop()
        if self.source != message.path:
            return  # another one was asked for meanwhile
        if isinstance(message.picture, str):
            self.tell(message.picture)
        else:
            self._draw(message.picture)


def _size_words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
