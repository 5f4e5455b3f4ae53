"""Open the application on this terminal, and leave the terminal as it was, however it ends."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from dbtui.wizard.in_thread import WORKER_THREADS
from dbtui.wizard.options import AppOptions

if TYPE_CHECKING:
    from dbtui.wizard.app import WizardApp
    from dbtui.wizard.leaving import Leaving

FRAMES_PER_SECOND = "10"
_WORKERS = 16
"""At once; some of them may hang on a disk that does not answer."""


def open_wizard(options: AppOptions) -> int:
    """Run the application until the person leaves; return the exit code.

    At most 10 frames a second, and over SSH nothing is animated: each frame is sent over the line.
    """
    os.environ.setdefault("TEXTUAL_FPS", FRAMES_PER_SECOND)  # read when Textual is imported
    if "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from dbtui.wizard.app import WizardApp
    from dbtui.wizard.images import settled
    from dbtui.wizard.leaving import Leaving

    app = WizardApp(replace(options, images=settled(options.images)))
    with Leaving(app.leave) as leaving:
        code = _run(app, leaving, mouse=options.mouse)
    if app.crash is not None:
        raise app.crash
    return code


def _run(app: "WizardApp", leaving: "Leaving", *, mouse: bool) -> int:
    """Run it on a loop of our own: asyncio's would wait for every worker, and one may wait for a dead disk."""
    loop = asyncio.new_event_loop()
    workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix=WORKER_THREADS)
    loop.set_default_executor(workers)
    try:
        code = app.run(mouse=mouse, loop=loop) or 0
    finally:
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        if rest:
            loop.run_until_complete(asyncio.wait(rest))
        loop.close()
        workers.shutdown(wait=False, cancel_futures=True)
    leaving.wait_for(WORKER_THREADS, code)
    return code
