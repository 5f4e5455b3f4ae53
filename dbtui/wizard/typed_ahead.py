"""Keys that were typed ahead wait until the key before them has had its effect.

Over a slow line a person types on without looking, and the keys arrive together: Textual would give them all to
the field that has the focus now. "frog", enter, "~/photos" would be the class "frog~/photos", with no folder.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual.app import ScreenStackError
from textual.events import Key
from textual.message_pump import MessagePump
from textual.widgets import Input

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp

_STAYS = {"up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "space"}
"""Keys that lead to no other screen."""
_NO_MORE = {"escape", "ctrl+q"}
"""Keys that end the waiting for a screen which goes on by itself; what was typed before them is dropped."""
_ROUNDS = 2
"""A key may be told on as a message, such as "submitted", and that opens a screen, which then takes the focus."""
_PATIENCE = 0.25
_LONGEST = 3.0
"""Seconds after which keys are handed on whatever happens."""


class TypedAhead:
    """Holds back what comes while a key that may open another screen has its effect."""

    def __init__(self, app: "WizardApp", give: Callable[[Key], Awaitable[None]]) -> None:
        self._app, self._give = app, give
        self._held: deque[Key] = deque()
        self._task: asyncio.Task[None] | None = None

    async def take(self, key: Key) -> None:
        """Give a key to the application, now or after those before it."""
        if self._task is not None:
            self._held.append(key)
            return
        await self._give(key)
        if self._task is None and self._may_lead_elsewhere(key):
            self._task = asyncio.create_task(self._hand_on())

    def _may_lead_elsewhere(self, key: Key) -> bool:
        is_typed = key.is_printable and isinstance(self._app.focused, Input)
        return not is_typed and key.key not in _STAYS

    async def _hand_on(self) -> None:
        try:
            await self._effect()
            while self._held:
                key = self._held.popleft()
                await self._give(key)
                if self._may_lead_elsewhere(key):
                    await self._effect()
        except ScreenStackError:
            pass  # it has ended
        except Exception as error:  # noqa: BLE001 - as if the application's own loop had met it
            self._app._handle_exception(error)
        finally:
            self._task = None

    async def _effect(self) -> None:
        """Wait until the last key has had its effect."""
        last = asyncio.get_running_loop().time() + _LONGEST
        for _ in range(_ROUNDS):
            for node in self._way_up():
                await self._quiet(node)
        for _ in range(_ROUNDS):
            await self._quiet(*self._app.screen.walk_children(with_self=True))
        while getattr(self._app.screen, "is_going_on", False) and asyncio.get_running_loop().time() < last:
            await asyncio.sleep(0.02)
            if any(key.key in _NO_MORE for key in self._held):
                while self._held[0].key not in _NO_MORE:
                    self._held.popleft()
                return
            await self._quiet(self._app)

    def _way_up(self) -> list[MessagePump]:
        """Return what a message passes through, one after the other."""
        focused = self._app.focused
        return [*focused.ancestors_with_self] if focused else [self._app.screen, self._app]

    async def _quiet(self, *nodes: MessagePump) -> None:
        """Wait until these have read their messages."""
        read = asyncio.Semaphore(0)
        asked = sum(node.call_later(read.release) for node in nodes)
        try:
            async with asyncio.timeout(_PATIENCE):
                for _ in range(asked):
                    await read.acquire()
        except TimeoutError:
            pass  # one of them was removed meanwhile, or is busy
