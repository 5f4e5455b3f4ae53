"""Watch a run on another machine."""

from collections.abc import Callable

from dbtui.dashboard.interrupts import Interrupts
from dbtui.dashboard.viewer import watch
from dbtui.remote.connect import connect, no_connection
from dbtui.remote.follow import RemoteFollower
from dbtui.remote.link import Link
from dbtui.remote.session import LostError
from dbtui.remote.target import Target
from trainer_core.errors import ExitCode


def attach_to(target: Target, tell: Callable[[str], None]) -> ExitCode:
    """Watch a run until it ends or the person leaves; return its exit code, or DONE.

    `tell` is told what ssh says while it connects. Raises UserError with FAILED if there is no connection, with
    CONFIG if no run lies there.
    """
    link = None
    try:
        link = Link(connect(target, tell))
        link.catch_up()
        link.start()
        with Interrupts() as interrupts:
            return watch(RemoteFollower(link), interrupts)
    except LostError as error:
        raise no_connection(target, error) from error
    finally:
        if link:
            link.close()
