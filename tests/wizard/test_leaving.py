"""What leaving the application waits for, and what it does not."""

import asyncio
import threading

import pytest

from dbtui.wizard import leaving
from dbtui.wizard.in_thread import WORKER_THREADS, in_thread, to_the_end


@pytest.mark.parametrize(("way", "is_waited_for"), [(to_the_end, True), (in_thread, False)])
def test_what_should_not_stop_half_way_is_waited_for(way, is_waited_for, monkeypatch):
    began, go_on, waited = threading.Event(), threading.Event(), []

    def work() -> None:
        began.set()
        assert go_on.wait(60)

    def join(thread: threading.Thread, timeout: float) -> None:
        waited.append(thread.name)
        go_on.set()
        ended(thread, 60)

    async def begin_and_leave() -> None:
        task = asyncio.create_task(way(work))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()

    asyncio.run(begin_and_leave())
    ended = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", join)
    monkeypatch.setattr(leaving.os, "_exit", lambda code: pytest.fail("it was not waited for"))
    leaving.Leaving(lambda: None).wait_for(WORKER_THREADS, 0)
    assert waited == (["worker-work"] if is_waited_for else [])
    assert go_on.is_set() is is_waited_for
    go_on.set()
