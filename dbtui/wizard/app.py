"""The application: which screen is shown, what they share, and how it ends."""

import asyncio
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.screen import Screen

from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_keeper import DraftKeeper
from dbtui.wizard.options import AppOptions
from dbtui.wizard.steps.order import STEPS, Step, beside, step_named
from dbtui.wizard.theme import THEMES
from dbtui.wizard.typed_ahead import TypedAhead
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.launch import TrainerProcess

PLACES = {
    "presets": "Settings that fit a graphics card",
    "models": "The models on this machine",
    "generate": "Draw pictures with a model",
    "doctor": "Whether this machine can train",
}
"""Screens by the names of their modules, and what they are for."""
_SAVE_AFTER = 0.5
"""Seconds from an answer to the draft on disk: typing writes now and then, not with each letter."""


_FOCUS_MOVES = {"tab": "app.focus_next", "shift+tab": "app.focus_previous"}


class WizardApp(App[int]):
    """dbtui without a command: home, the steps of a new run, the monitor.

    Attributes:
        options: what the command line says.
        draft: the answers of the new run.
        keeper: keeps them on disk.
        trainers: those that were started here; they go on without the application.
    """

    TITLE = "dbtui"
    CSS_PATH = ["app.tcss", "step_screen.tcss", "screens/home.tcss"]  # noqa: RUF012 - Textual types it so
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual types it so
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual types it so
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+z",
            "suspend_process",
            "to the shell",
            id="app.suspend",
            show=False,
            tooltip="Go to the shell; fg comes back",
        ),
        Binding("f1", "show_help", "help", id="app.help", tooltip="What this screen is for"),
        Binding(
            "ctrl+q", "quit", "quit", id="app.quit", show=False, priority=True, tooltip="Leave; trainings go on"
        ),
    ]

    def __init__(self, options: AppOptions) -> None:
        super().__init__()
        self.options = options
        self.draft = Draft()
        self.keeper = DraftKeeper()
        self.trainers: list[TrainerProcess] = []
        self._save_timer: Any = None
        self._typed_ahead = TypedAhead(self, self._give_key)
        self._own_loop: asyncio.AbstractEventLoop | None = None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def get_default_screen(self) -> Screen[None]:
        """Begin at home."""
        from dbtui.wizard.screens.home import HomeScreen

        return HomeScreen()

    def on_mount(self) -> None:
        """Remember the loop, for signals."""
        self._own_loop = asyncio.get_running_loop()

    def on_unmount(self) -> None:
        """Write what the last moment may have changed."""
        self._own_loop = None
        self._save_now()
        self.keeper.leave()

    def leave(self) -> None:
        """Save the draft and end; a signal handler may call it."""
        if self._own_loop is None:
            raise KeyboardInterrupt
        self._own_loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._save_now()
        self.exit(0)

    @property
    def crash(self) -> Exception | None:
        """What ended it, if it was not meant to end."""
        return self._exception

    def _print_error_renderables(self) -> None:
        """Print nothing: Textual's traceback holds every local variable. Whoever runs the application tells it."""
        self._exit_renderables.clear()

    def action_help_quit(self) -> None:
        """Say what to press instead of Ctrl-C, which copies in a field."""
        self.notify("ctrl+q quits; trainings go on without it", title="ctrl+c copies what is marked")

    async def on_event(self, event: Event) -> None:
        """Let keys that were typed ahead wait for the effect of those before them."""
        if isinstance(event, Key) and not event.is_forwarded:
            await self._typed_ahead.take(event)
        else:
            await super().on_event(event)

    async def _give_key(self, key: Key) -> None:
        """Give a key to the field that has the focus; move the focus before the next key is looked at."""
        if key.key in _FOCUS_MOVES:
            active = self.screen.active_bindings.get(key.key)
            if active and active.enabled and active.binding.action == _FOCUS_MOVES[key.key]:
                await self.run_action(active.binding.action)
                return
        await super().on_event(key)

    def notify(self, message: str, **options: Any) -> None:
        """Show a message as plain text: it may hold names that came from outside."""
        super().notify(safe_text(message, 1000), **{**options, "markup": False})

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Add going to a step to the command palette."""
        yield from super().get_system_commands(screen)
        yield SystemCommand("Home: runs", "The list of runs; trainings go on", self.go_home)
        for place, what in PLACES.items():
            yield SystemCommand(f"Home: {place}", what, partial(self.visit, place))
        yield SystemCommand("New run: start", "Answer the questions from the first step", self.new_run)
        for step in STEPS:
            yield SystemCommand(f"New run: go to {step.word}", "One of the steps", partial(self.go_to, step))

    # What the steps use.

    def draft_changed(self) -> None:
        """Save the draft soon: at most so many seconds of answers are lost, however the application ends."""
        if self._save_timer is None:
            self._save_timer = self.set_timer(_SAVE_AFTER, self._save_now)

    def _save_now(self) -> None:
        if self._save_timer is not None:
            self._save_timer.stop()
            self._save_timer = None
            if trouble := self.keeper.save(self.draft):
                self.notify(trouble, severity="warning")

    def forget_draft(self) -> None:
        """Begin anew: the run of the draft was started, or is not wanted."""
        if self._save_timer is not None:
            self._save_timer.stop()
            self._save_timer = None
        self.draft = Draft()
        self.keeper.forget()

    def new_run(self, draft: Draft | None = None, key: str = "", why: str = "") -> None:
        """Open the step at which the draft is (see `go_to`); without one the first step with no answers.

        The draft so far stays on disk and can be continued.
        """
        self._save_now()
        self.keeper.leave()
        self.draft = draft or Draft()
        self.go_to(step_named(self.draft.step), key, why)

    @work
    async def continue_draft(self) -> None:
        """Let the person choose a draft that was left, and go on with it."""
        from dbtui.wizard.draft_file import load_draft
        from dbtui.wizard.screens.continue_draft import ContinueDraft

        self._save_now()
        left = await self.push_screen_wait(ContinueDraft(self.keeper))
        if left and self.keeper.take(left):
            self.draft = load_draft(left.path) or left.draft  # another dbtui may have gone on with it meanwhile
            self.go_to(step_named(self.draft.step))
        elif left:
            self.notify("another dbtui goes on with that draft by now", severity="warning")

    def go_to(self, step: Step, key: str = "", why: str = "") -> None:
        """Open a step, with the cursor on the setting `key`, and say why: what is to be mended there."""
        screen = step.load()()
        self._open(screen)
        if key:
            screen.call_after_refresh(screen.show_key, key)
        if why:
            screen.call_after_refresh(screen.complain, [why, "F6 goes back to the review"])

    def go_by(self, by: int) -> None:
        """Open the next step (1) or the one before (-1); before the first one is home."""
        step = beside(self.draft.step, by)
        if step:
            self.go_to(step)
        elif by < 0:
            self.go_home()

    def go_home(self) -> None:
        """Go back to the list of runs."""
        self._leave_at_most(1)

    def visit(self, place: str) -> None:
        """Open one of `PLACES`, the screens that are neither a step nor a run."""
        module = import_module(f"dbtui.wizard.screens.{place}")
        self.push_screen(getattr(module, f"{place.title()}Screen")())

    @work
    async def choose_step(self) -> None:
        """Let the person choose a step."""
        from dbtui.wizard.screens.choose_step import ChooseStep

        if chosen := await self.push_screen_wait(ChooseStep(self.draft.step)):
            self.go_to(step_named(chosen))

    def watch_run(self, run: RunDirectory) -> None:
        """Open the monitor of a run."""
        from dbtui.wizard.screens.monitor import MonitorScreen

        self._open(MonitorScreen(run))

    def action_show_help(self) -> None:
        """Show what the present screen says of itself."""
        from dbtui.wizard.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            return
        if text := getattr(self.screen, "HELP", ""):
            self.push_screen(HelpScreen(text))

    def _open(self, screen: Screen[Any]) -> None:
        """Show a screen over home, in the place of any other."""
        self._leave_at_most(2)
        if len(self.screen_stack) == 2:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def _leave_at_most(self, screens: int) -> None:
        while len(self.screen_stack) > screens:
            self.pop_screen()
