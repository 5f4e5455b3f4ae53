"""What the first process of a container owes to the others: to stay until they are done, and to bury the dead."""

import os

MAIN = 1


def is_main_process() -> bool:
    """Tell whether this process is the first of its container (or namespace): with it, all others end."""
    return os.getpid() == MAIN


def reap_orphans(own_child: int) -> None:
    """Collect processes that ended and whose parents are gone, but not `own_child`, which is waited for elsewhere.

    The system gives orphans to the first process of their container; uncollected they fill its table.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == own_child:
            return
        os.waitpid(ended.si_pid, 0)
