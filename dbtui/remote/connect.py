"""The first connection to another machine: ssh may ask for a password and the like, and what it says is shown."""

from collections.abc import Callable

from dbtui.remote.session import LostError, Session
from dbtui.remote.ssh import can_ask
from dbtui.remote.target import Target
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def connect(target: Target, tell: Callable[[str], None]) -> Session:
    """Return a session with the target's run. What ssh says meanwhile goes to `tell`, a safe line each.

    Raises LostError if there is no connection, UserError(CONFIG) if no run lies there.
    """
    return Session(target, may_ask=can_ask(), tell=tell)


def no_connection(target: Target, error: LostError) -> UserError:
    """Say that there is no connection, and how to look for the reason."""
    port = f"-p {target.port} " if target.port else ""
    place = safe_text(target.place)
    text = f"no connection to {place} ({error}): try `ssh {port}{place}` by itself"
    return UserError(text, ExitCode.FAILED)
