"""Wait for something that may never answer, such as a folder on a network drive that is gone."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns, computed in a thread of its own; call it in an async worker.

    Unlike a thread worker, one that hangs holds up nobody: it takes no place in the pool that other workers
    need, cancelling leaves it behind at once, and leaving the application does not wait for it.
    """
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
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - handed over to the one who waits
            failed = error
        with suppress(RuntimeError):  # the application has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, name=getattr(function, "__name__", "in_thread"), daemon=True).start()
    return await answer
