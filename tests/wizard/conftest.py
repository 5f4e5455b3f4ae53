import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled

from dbtui.wizard.app import WizardApp
from dbtui.wizard.draft import Draft
from dbtui.wizard.options import AppOptions
from dbtui.wizard.steps.order import step_named

GOLDEN = Path(__file__).with_name("golden")
NARROW, WIDE = (80, 24), (120, 40)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of whoever runs the tests: folders, clock and environment of the test alone."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DBTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(
        Input, "cursor_blink", property(lambda self: False, lambda self, value: None), raising=False
    )
    monkeypatch.setattr("dbtui.wizard.models.known.ROOTS", ("~", "."))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_COLOR", "TEXTUAL_THEME", "CUDA_VISIBLE_DEVICES", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def screen_text(app: WizardApp) -> str:
    """What the screen shows, as plain text: a state must be understood without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


@pytest.fixture
def open_app(tmp_path: Path) -> Callable[..., object]:
    """Open the application: `async with open_app(size=NARROW) as (app, pilot)`; with `step`, at that step."""

    @asynccontextmanager
    async def opened(size=NARROW, step: str = "", draft: Draft | None = None, images="half"):
        app = WizardApp(AppOptions(runs_dir=tmp_path / "runs", images=images))
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            if draft:
                app.draft = draft
            if step:
                app.go_to(step_named(step))
                await settle(pilot)
            yield app, pilot

    return opened


async def settle(pilot: Pilot) -> None:
    """Wait until workers and messages are done; one whose place another took is waited for no more."""
    replaced = True
    while replaced:
        replaced = False
        for worker in list(pilot.app.workers):
            try:
                await worker.wait()
            except WorkerCancelled:
                replaced = True
    await pilot.pause()


async def until(pilot: Pilot, condition: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Wait until something is true of the application."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}:\n{screen_text(pilot.app)}"
        await pilot.pause(0.05)


@pytest.fixture
def written_as(tmp_path: Path) -> dict[str, str]:
    """What golden texts have in the place of words that differ from run to run."""
    return {str(tmp_path): "<tmp>"}


@pytest.fixture
def looks_like(written_as: dict[str, str]) -> Callable[[Pilot, str], Awaitable[None]]:
    """Compare the screen with `golden/<name>.txt`; DBTUI_UPDATE_GOLDEN=1 writes it (look at it before you commit).

    It is compared once all is drawn: keys and heights come last.
    """

    async def compare(pilot: Pilot, name: str) -> None:
        def shown() -> str:
            text = screen_text(pilot.app)
            for word, written in written_as.items():
                text = text.replace(word, written)
            return text

        path = GOLDEN / f"{name}.txt"
        if os.environ.get("DBTUI_UPDATE_GOLDEN") == "1":
            last = ""
            while last != (last := shown()):
                await pilot.pause(0.5)
            path.write_text(last, encoding="utf-8")
        wanted, deadline = path.read_text(encoding="utf-8"), time.monotonic() + 30
        await pilot.pause()
        while shown() != wanted and time.monotonic() < deadline:
            await pilot.pause(0.05)
        assert shown() == wanted, f"{path.name} differs:\n{shown()}"

    return compare
