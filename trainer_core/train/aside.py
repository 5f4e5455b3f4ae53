"""Work that a stop may leave behind: in a thread, because native code and sockets do not listen to signals."""

import threading
from collections.abc import Callable
from typing import TypeVar

from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.train.halt import Halt

Result = TypeVar("Result")
_LOOK_EVERY = 0.2


def unless_stopped(halt: Halt, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or raise what it raises.

    Raises:
        StopRequestedError: a stop is asked for. The thread goes on until the process ends, which must not wait
            for it.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=do, name="aside", daemon=True)
    if halt.is_asked():
        raise StopRequestedError
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_EVERY)
        if thread.is_alive() and halt.is_asked():
            raise StopRequestedError
    if errors:
        raise errors[0]
    return results[0]
