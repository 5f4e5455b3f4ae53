"""Progress told a few times a second, however fast it is made."""

import time
from collections.abc import Callable

Progress = Callable[[int, int], None]
SECONDS_BETWEEN = 0.25


def throttled(tell: Progress) -> Progress:
    """Return `tell` (done, total), called at most four times a second, and always at the start and at the end."""
    next_time = 0.0

    def tell_sometimes(done: int, total: int) -> None:
        nonlocal next_time
        now = time.monotonic()
        if done in {0, total} or now >= next_time:
            next_time = now + SECONDS_BETWEEN
            tell(done, total)

    return tell_sometimes
