"""A trainer whose run was taken over elsewhere leaves at once, so that two never write one run."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from trainer_core.errors import ExitCode
from trainer_core.run.lock import RunLock

_LOOK_EVERY = 5.0


@contextmanager
def fenced(lock: RunLock, every: float = _LOOK_EVERY) -> Iterator[None]:
    """Look every so many seconds, from a thread, whether the run is still ours; leave with LOCKED if it is not.

    What is being written is staged, so nothing half appears. The machine may have slept, or have lost the shared
    disk, for long enough that somebody gave it up.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(every):
            if not lock.is_mine():
                with suppress(OSError, ValueError):
                    sys.stderr.write(
                        "error: another trainer took this run over (--take-over); this one leaves it\n"
                    )
                    sys.stderr.flush()
                os._exit(ExitCode.LOCKED)

    threading.Thread(target=look, name="fence", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
