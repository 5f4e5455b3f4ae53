"""Wait for something that may never answer, such as a folder on a network drive that is gone."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
WORKER_THREADS = "worker"
"""What the names of the threads begin with that leaving the application waits for, some seconds."""


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns, computed in a thread of its own; call it in an async worker.

    Unlike a thread worker, one that hangs holds up nobody: it takes no place in the pool that other workers
    need, cancelling leaves it behind at once, and leaving the application does not wait for it.
    """
    return await _answer(getattr(function, "__name__", "in_thread"), partial(function, *args, **kwargs))


async def to_the_end(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `in_thread`, for what should not stop half-way: leaving the application waits some seconds for it."""
    name = getattr(function, "__name__", "to_the_end")
    return await _answer(f"{WORKER_THREADS}-{name}", partial(function, *args, **kwargs))


async def _answer(name: str, function: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(result)  # type: ignore[arg-type]
        else:
            answer.set_exception(error)

    def work() -> None:
        result, failed = None, None
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - handed over to the one who waits
            failed = error
        with suppress(RuntimeError):  # the application has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, name=name, daemon=True).start()
    return await answer
