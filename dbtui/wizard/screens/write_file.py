"""A name for the run file, which is then written."""

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label

from dbtui.wizard.in_thread import to_the_end
from dbtui.wizard.review.run_file import TakenError, place_of, write_run_file
from dbtui.wizard.widgets.plain_input import PlainInput
from dbtui.wizard.widgets.problem_lines import ProblemLines
from trainer_core.config.schema import Config
from trainer_core.errors import UserError
from trainer_core.text import safe_text


class WriteFile(ModalScreen[Path | None]):
    """Returns the file that was written; None if none was."""

    CSS_PATH = "write_file.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", "write", id="write.write", priority=True, tooltip="Write the file"),
        Binding("ctrl+r", "replace", "replace it", id="write.replace", tooltip="Write it over that file"),
        Binding("escape", "leave", "cancel", id="write.cancel", tooltip="Write nothing"),
    ]

    def __init__(self, name: str, text: str, config: Config) -> None:
        super().__init__()
        self.suggested, self.text, self.config = name, text, config
        self._taken = ""

    def compose(self) -> ComposeResult:
        """Ask."""
        with Vertical(classes="dialog"):
            yield Label("Write the run file", classes="title")
            yield Label("Nothing is started; `dbtui run` trains it, here or elsewhere.", id="hint", markup=False)
            yield PlainInput(f"{self.suggested}.toml", id="file")
            yield Label(f"in {safe_text(Path.cwd(), 300)}", id="folder", markup=False)
            yield ProblemLines()
        yield Footer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Replacing is offered only where there is something to replace."""
        return bool(self._taken) if action == "replace" else True

    def action_write(self) -> None:
        """Write it, if nothing has that name."""
        self._write(replace=False)

    def action_replace(self) -> None:
        """Write it in the place of the file that has the name."""
        if self._taken == self._typed:
            self._write(replace=True)

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._taken != self._typed:
            self._say("", "")

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self._say(event.text, "")

    @work(exclusive=True, group="write", exit_on_error=False)
    async def _write(self, *, replace: bool) -> None:
        typed = self._typed
        try:
            path = place_of(typed, Path.cwd())
            await to_the_end(write_run_file, path, self.text, self.config, replace=replace)
        except TakenError as error:
            self._say(f"{error}: ctrl+r replaces it, or type another name", typed)
        except UserError as error:
            self._say(str(error), "")
        except (OSError, ValueError) as error:
            self._say(f"that name cannot be used ({error})", "")
        else:
            self.dismiss(path)

    @property
    def _typed(self) -> str:
        return self.query_one(Input).value

    def _say(self, text: str, taken: str) -> None:
        self._taken = taken
        self.query_one(ProblemLines).show([text] if text else [])
        self.refresh_bindings()

    def action_leave(self) -> None:
        """Write nothing."""
        self.dismiss(None)
