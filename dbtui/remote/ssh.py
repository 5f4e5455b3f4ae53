"""The system's own ssh: how it is called, and whether it may ask a person something."""

import os
import shutil
import sys

from dbtui.remote.target import Target
from trainer_core.errors import ExitCode, UserError

_OPTIONS = (
    "RequestTTY=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
)
"""What scp and sftp set as well: a configuration for logins must not disturb; and a dead line is noticed."""


def ssh_command(target: Target, remote_command: str, *, may_ask: bool) -> list[str]:
    """Return the command line that runs `remote_command` on the target's machine.

    Everything else (keys, aliases, jump hosts, known hosts) is up to ssh and its configuration. Without `may_ask`
    ssh fails where it would ask. Raises UserError(CONFIG) if there is no ssh.
    """
    program = shutil.which("ssh")
    if program is None:
        raise UserError("there is no ssh here: install the OpenSSH client", ExitCode.CONFIG)
    command = [program]
    for option in (*_OPTIONS, *(() if may_ask else ("BatchMode=yes", "ConnectTimeout=20"))):
        command += ["-o", option]
    if target.user is not None:
        command += ["-l", target.user]
    if target.port is not None:
        command += ["-p", str(target.port)]
    return [*command, "--", target.host, remote_command]


def can_ask() -> bool:
    """Tell whether ssh may ask a person here: this program is typed to, and is in the foreground."""
    try:
        descriptor = sys.stdin.fileno()
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError):
        return False
