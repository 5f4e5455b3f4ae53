"""Asks before edited captions are written, and writes them."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Label, Static

from dbtui.wizard.in_thread import in_thread, to_the_end
from dbtui.wizard.pictures.caption_edits import Edit, Saved, changed_since, save
from trainer_core.data.listing import counted
from trainer_core.text import safe_text

_NAMED = 4


class WriteCaptions(ModalScreen[Saved | None]):
    """Says how many files will be written; returns what came of it, None if nothing was to be."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,w", "write", "write", id="write_captions.write", tooltip="Write them"),
        Binding(
            "o", "overwrite", "overwrite too", id="write_captions.overwrite", tooltip="Those that changed too"
        ),
        Binding("escape", "leave", "not now", id="write_captions.leave", tooltip="Write nothing; the edits stay"),
    ]

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.edits = edits
        self.changed: list[Edit] = []
        self._is_writing = False

    def compose(self) -> ComposeResult:
        """Say what will be written."""
        with Vertical(classes="dialog"):
            yield Label(f"Write {counted(len(self.edits), 'caption')}?", classes="title")
            yield Static(id="what", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look at the files."""
        self._look()

    @work(exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        self.changed = await in_thread(changed_since, self.edits)
        new = sum(1 for edit in self.edits if not edit.seen)
        replaced = len(self.edits) - new
        folders = list(dict.fromkeys(edit.file.parent for edit in self.edits))
        parts = [f"{counted(new, 'new file')}"] if new else []
        parts += [f"{counted(replaced, 'file')} replaced"] if replaced else []
        more = f" and {counted(len(folders) - 1, 'more folder')}" if len(folders) > 1 else ""
        lines = [f'{", ".join(parts)}, in the folder "{safe_text(folders[0].name, 100)}"{more}']
        if self.changed:
            names = ", ".join(safe_text(edit.file.name, 60) for edit in self.changed[:_NAMED])
            rest = f" and {len(self.changed) - _NAMED} more" if len(self.changed) > _NAMED else ""
            lines.append(f"! changed on disk since you edited: {names}{rest}")
            lines.append("  enter leaves these as they are, o writes over them")
        self.query_one("#what", Static).update(Text("\n".join(lines)))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to overwrite only what changed."""
        return bool(self.changed) if action == "overwrite" else True

    def action_write(self) -> None:
        """Write those that did not change meanwhile."""
        self._write(overwrite=False)

    def action_overwrite(self) -> None:
        """Write all of them."""
        self._write(overwrite=True)

    def action_leave(self) -> None:
        """Write nothing."""
        if not self._is_writing:
            self.dismiss(None)

    @work(group="write", exit_on_error=False)
    async def _write(self, *, overwrite: bool) -> None:
        if not self._is_writing:
            self._is_writing = True
            self.dismiss(await to_the_end(save, self.edits, overwrite=overwrite))
