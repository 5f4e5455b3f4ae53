"""Step: everything in one place before it begins; start it, write it only, or copy the command."""

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from dbtui.presets.show import highlighted
from dbtui.wizard.draft import Draft
from dbtui.wizard.in_thread import in_thread, to_the_end
from dbtui.wizard.review.mends import Mend
from dbtui.wizard.review.reviewed import WRITTEN, Reviewed, review
from dbtui.wizard.review.run_file import headless_command, holds, write_somewhere
from dbtui.wizard.review.start import name_problem, start_run
from dbtui.wizard.step_screen import StepScreen
from dbtui.wizard.steps import review_words as words
from dbtui.wizard.steps.review_help import HELP
from dbtui.wizard.widgets.plain_input import PlainInput
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError
from trainer_core.run.names import MAX_NAME
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_NARROWEST = 40
"""Columns that a comment in the file takes at least."""


class _LeftError(Exception):
    """The screen is gone: nobody waits for the plan any more."""


class ReviewScreen(StepScreen):
    """The plan, the run file, and what is wrong, made anew whenever the screen is opened."""

    NAME = "review"
    HELP = HELP
    CSS_PATH = "review.tcss"
    AUTO_FOCUS = "#plan"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "start", id="review.start", tooltip="Start the training; it goes on by itself"),
        Binding("w", "write", "write only", id="review.write", tooltip="Write the run file for later"),
        Binding("c", "copy", "copy", id="review.copy", tooltip="Copy the command that trains it"),
        Binding("n", "name", "name", id="review.name", tooltip="Give the run a name"),
        Binding(
            "r", "look_again", "look again", id="review.again", show=False, tooltip="Look at everything again"
        ),
        Binding("enter", "next", "next", id="review.next", show=False, tooltip="From the name to the plan"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.reviewed: Reviewed | None = None
        self._is_busy = False
        self._is_left = Event()
        self._progress = (0, 0)

    def body(self) -> ComposeResult:
        """Show the name, how it stands, the plan or what is wrong, the file, and the command."""
        with Horizontal(id="naming"):
            yield Label("Name", classes="question -first")
            yield PlainInput(self.draft.name, placeholder="after what it learns", max_length=MAX_NAME, id="name")
            yield Label("", id="name-problem", markup=False)
        yield Static(id="state", markup=False)
        yield Static(id="summary", markup=False)
        with Container(id="panes"):
            yield OptionList(id="mends", classes="pane")
            with VerticalScroll(id="plan", classes="pane"):
                yield Static(id="folder-text", markup=False)
                yield Static(id="plan-text", markup=False)
            with VerticalScroll(id="file", classes="pane"):
                yield Static(id="file-text", markup=False)
        yield Static(id="command", markup=False)

    def on_mount(self) -> None:
        """Begin to look."""
        super().on_mount()
        self.query_one("#mends").border_title = "To mend"
        self.query_one("#plan").border_title = "What will happen"
        self.query_one("#file").border_title = "The run file"
        self.set_interval(0.2, self._show_progress)
        self.action_look_again()

    def on_unmount(self) -> None:
        """Let a plan that nobody waits for end."""
        self._is_left.set()

    def action_look_again(self) -> None:
        """Make the plan anew, of the answers as they are."""
        if self._is_busy:
            return
        self.reviewed = None  # what was found before is not shown any more
        self._progress = (0, 0)
        self.complain(())
        self.remove_class("-wrong", "-planned")
        self.add_class("-looking")
        for each in ("#folder-text", "#plan-text", "#command"):
            self.query_one(each, Static).update("")
        self._show_progress()
        self._look()

    @work(exclusive=True, group="review", exit_on_error=False)
    async def _look(self) -> None:
        try:
            found = await in_thread(review, self.draft.copy(), self.wizard.options.runs_dir, self._count)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the answers stay
            self.remove_class("-looking")
            self.query_one("#state", Static).update("! it could not be looked at: r tries again")
            self.complain(_told(error))
        else:
            self._show(found)

    def _count(self, done: int, total: int) -> None:
        """Called in the thread that looks at the pictures."""
        if self._is_left.is_set():
            raise _LeftError
        self._progress = (done, total)

    def _show_progress(self) -> None:
        if self.reviewed is None and self.has_class("-looking"):
            self.query_one("#state", Static).update(words.progress_words(*self._progress))

    def _show(self, found: Reviewed) -> None:
        self.reviewed = found
        self.complain(())
        self.remove_class("-looking")
        self.set_class(bool(found.mends), "-wrong")
        self.set_class(found.config is not None, "-planned")
        self.query_one("#state", Static).update(words.state_words(found))
        mends = self.query_one("#mends", OptionList)
        mends.clear_options()
        mends.add_options(Option(words.mend_words(mend)) for mend in found.mends)
        if found.mends:
            mends.highlighted = 0
            if not isinstance(self.focused, Input):
                mends.focus()
        if found.config is not None:
            self.query_one("#name", Input).placeholder = found.name
            self.call_after_refresh(self._show_file)
        if found.plan is not None:
            self.query_one("#summary", Static).update(words.summary_words(found.plan))
            self.query_one("#plan-text", Static).update(words.plan_words(found))
        self._show_place()

    @on(events.Resize)
    def _show_file(self) -> None:
        """Show the file as it is written, its comments as wide as there is room."""
        if self.reviewed and self.reviewed.config:
            width = max(_NARROWEST, self.query_one("#file").scrollable_content_region.width - 2)
            self.query_one("#file-text", Static).update(
                highlighted(dump_config(self.reviewed.config, width=width))
            )

    def _show_place(self, done: str = "") -> None:
        """Show what depends on the name."""
        found, name = self.reviewed, self.draft.name
        self._check_name(name)
        if found is None or found.plan is None:
            return
        folder = self.wizard.options.runs_dir / (name or found.name)
        self.query_one("#folder-text", Static).update(words.folder_words(folder))
        self.query_one("#command", Static).update(words.command_words(self._command(found.written), done))

    # The name.

    @work(exclusive=True, group="name", exit_on_error=False)
    async def _check_name(self, name: str) -> None:
        problem = await in_thread(name_problem, name, self.wizard.options.runs_dir)
        self.query_one("#name-problem", Label).update(problem)

    @on(Input.Changed, "#name")
    def _named(self, event: Input.Changed) -> None:
        if event.value.strip() != self.draft.name:
            self.draft.name = event.value.strip()
            self.changed()
            self._show_place()

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.complain([event.text])

    def action_next(self) -> None:
        """Leave the name; nothing is started by Enter, with which one goes through the steps."""
        self.query_one("#mends" if self.has_class("-wrong") else "#plan").focus()

    def action_name(self) -> None:
        """Go to the name."""
        self.set_focus(self.query_one("#name"))

    def show_key(self, key: str) -> None:
        """There is one field."""
        self.action_name()

    # What is wrong.

    @on(OptionList.OptionSelected, "#mends")
    def _mend(self, event: OptionList.OptionSelected) -> None:
        if self.reviewed and event.option_index < len(self.reviewed.mends):
            mend: Mend = self.reviewed.mends[event.option_index]
            self.wizard.go_to(mend.step, mend.key, why=mend.text)

    # What can be done.

    def _ready(self) -> Reviewed | None:
        """Return what was found where there is something to write; else say why not."""
        if self.reviewed is None:
            is_looking = self.has_class("-looking")
            self.complain(["still looking: wait a moment" if is_looking else "r looks again first"])
            return None
        if self.reviewed.config is None:
            self.complain(["mend this first: enter goes to the place"])
            return None
        return None if self._is_busy else self.reviewed

    def action_start(self) -> None:
        """Start the very configuration that is shown."""
        found = self._ready()
        if found is None:
            return
        if found.mends:
            self.complain(["mend this first: enter goes to the place; w writes the file as it is"])
        elif problem := name_problem(self.draft.name, self.wizard.options.runs_dir):
            self.complain([problem])
            self.query_one("#name").focus()
        else:
            self._is_busy = True
            self.query_one("#state", Static).update("· starting the trainer")
            start = self._start(self.wizard, found, self.draft)
            self.wizard.run_worker(start, group="start", exit_on_error=False)  # goes on when this screen is left

    async def _start(self, wizard: "WizardApp", found: Reviewed, draft: Draft) -> None:
        try:
            process = await to_the_end(start_run, found, wizard.options.runs_dir, draft.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the answers stay
            self._is_busy = False
            if self.is_attached:
                self.query_one("#state", Static).update(words.state_words(found))
                self.complain(_told(error))
            else:
                wizard.notify("; ".join(_told(error)), title="the run was not started", severity="error")
            return
        wizard.trainers.append(process)
        if wizard.draft is draft:
            wizard.forget_draft()
        wizard.watch_run(process.run)

    def action_back(self) -> None:
        """Go back, unless a run is being started just now."""
        if not self._is_busy:
            super().action_back()

    @work(group="write", exit_on_error=False)
    async def action_write(self) -> None:
        """Ask for the file's name and write it."""
        from dbtui.wizard.screens.write_file import WriteFile

        found = self._ready()
        if found is None or found.config is None:
            return
        name = self.draft.name or found.name
        if path := await self.app.push_screen_wait(WriteFile(name, found.text, found.config)):
            self._written(found, path, "✓ written, nothing was started")

    @work(exclusive=True, group="write", exit_on_error=False)
    async def action_copy(self) -> None:
        """Copy the command; the file that it names is written first."""
        found = self._ready()
        if found is None:
            return
        try:
            path = await to_the_end(run_file_of, found, self.draft.name)
        except (UserError, OSError) as error:
            self.complain(_told(error))
            return
        self.app.copy_to_clipboard(self._command(str(path)))
        self._written(found, path, "✓ the file is written; copied, if the terminal takes it")

    def _written(self, found: Reviewed, path: Path, done: str) -> None:
        if self.reviewed is found:  # else it is being looked at again
            self.reviewed = replace(found, written=str(path))
        self.draft.aside[WRITTEN] = str(path)
        self.changed()
        self._show_place(done)

    def _command(self, written: str) -> str:
        """Return the command that trains a file that was written, "" without one."""
        if not written:
            return ""
        return headless_command(Path(written), name=self.draft.name, runs_dir=self.wizard.options.runs_dir)


def _told(error: Exception) -> list[str]:
    """Return what to say of an error; one that is nobody's fault but ours with its kind."""
    if isinstance(error, UserError):
        return error.problems
    return [safe_text(error if isinstance(error, OSError) else f"{type(error).__name__}: {error}")]


def run_file_of(found: Reviewed, name: str) -> Path:
    """Return the run file as it was written, or is written now into the current folder. Raises UserError."""
    if found.written and holds(Path(found.written), found.text):
        return Path(found.written)
    assert found.config is not None
    return write_somewhere(Path.cwd(), name or found.name, found.text, found.config)
