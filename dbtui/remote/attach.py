"""Watch a run on another machine."""

from dbtui.dashboard.interrupts import Interrupts
from dbtui.remote.follow import RemoteFollower
from dbtui.remote.link import Link
from dbtui.remote.session import LostError, Session
from dbtui.remote.ssh import can_ask
from dbtui.remote.target import Target
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def attach_to(target: Target) -> ExitCode:
    """Watch a run until it ends or the person leaves; return its exit code, or DONE.

    ssh may ask for a password and the like first, on a terminal. Raises UserError with FAILED if there is no
    connection, with CONFIG if no run lies there.
    """
    from dbtui.dashboard.viewer import watch

    link = Link(connect_to(target))
    try:
        try:
            link.catch_up()
        except LostError as error:
            raise no_connection(target, error) from error
        link.start()
        with Interrupts() as interrupts:
            return watch(RemoteFollower(link), interrupts)
    finally:
        link.close()


def connect_to(target: Target) -> Session:
    """Return a session with the target's run. Raises UserError."""
    from dbtui.cli.output import narrate

    try:
        return Session(target, may_ask=can_ask(), tell=narrate)
    except LostError as error:
        raise no_connection(target, error) from error


def no_connection(target: Target, error: LostError) -> UserError:
    """Say that there is no connection, and how to look for the reason."""
    port = f"-p {target.port} " if target.port else ""
    place = safe_text(target.place)
    text = f"no connection to {place} ({error}): try `ssh {port}{place}` by itself"
    return UserError(text, ExitCode.FAILED)
