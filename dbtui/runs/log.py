"""The trainer's console output, line by line, to its end or as it grows."""

import time
from collections.abc import Iterator

from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive

_LOOK_EVERY = 0.3


def read_log(run: RunDirectory, follow: bool) -> Iterator[str]:
    """Yield the lines of console.log; with `follow` also those to come, until the trainer is gone."""
    offset = 0
    while True:
        lives = follow and is_alive(run)  # asked before reading, so that the last lines are not missed
        try:
            with run.console_log.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:
            data = b""
        whole = data if not lives else data[: data.rfind(b"\n") + 1]
        offset += len(whole)
        yield from whole.decode(errors="replace").splitlines()
        if not lives:
            return
        time.sleep(_LOOK_EVERY)
