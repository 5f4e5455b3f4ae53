"""Work done ahead by threads, a bounded number of results at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


@contextmanager
def worker_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of `count` threads; an error ends it without waiting for what nobody needs any more."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="workers")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def map_ahead(
    function: Callable[[Input], Output], inputs: Iterable[Input], workers: int
) -> Iterator[tuple[Input, Output]]:
    """Yield (input, function(input)) in order, computed by `workers` threads at most 2 x workers ahead."""
    waiting: deque[tuple[Input, Future[Output]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as executor:
        try:
            for item in inputs:
                waiting.append((item, executor.submit(function, item)))
                if len(waiting) > 2 * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
