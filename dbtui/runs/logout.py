"""Whether the system ends a detached training when its person logs out (systemd-logind's KillUserProcesses)."""

import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

_ASK = (
    *("busctl", "--no-pager", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1"),
    *("org.freedesktop.login1.Manager", "KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers"),
)
_FILES = ("usr/lib/systemd/logind.conf", "etc/systemd/logind.conf")
_FOLDERS = ("usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d")
_SETTING = re.compile(r"^\s*KillUserProcesses\s*=\s*(\w+)", re.MULTILINE)
_YES = {"yes", "true", "on", "1"}


def logout_warning(root: Path = Path("/")) -> str:
    """Return what to do about it, in one line; empty where a detached training outlives the login.

    A process that leads a session of its own still belongs to the login session's scope, and only the services of
    the user's own manager do not. `root` is where the file system is mounted.
    """
    if not _is_in_login_session(root) or not _is_killed(root):
        return ""
    return (
        "this system ends all processes of a login when you log out (KillUserProcesses). A training outlives that "
        "after `loginctl enable-linger`, and started with `systemd-run --user --scope dbtui run ...`"
    )


def _is_in_login_session(root: Path) -> bool:
    try:
        return "/session-" in (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _is_killed(root: Path) -> bool:
    """Ask logind; if it does not answer, read its configuration, which excepts root unless it says otherwise."""
    user = _user()
    try:
        answer = subprocess.run(_ASK, capture_output=True, text=True, timeout=3, check=True).stdout.splitlines()
        kills, only, except_for = (shlex.split(line) for line in answer)
        return kills[1:] == ["true"] and (user in only[2:] or not only[2:]) and user not in except_for[2:]
    except (OSError, subprocess.SubprocessError, ValueError):
        settings = [match for path in _configuration(root) for match in _SETTING.findall(_read(path))]
        return bool(settings) and settings[-1].lower() in _YES and user != "root"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user without a name
        return ""


def _configuration(root: Path) -> Iterator[Path]:
    """Yield logind's files, those that win last."""
    yield from (root / name for name in _FILES)
    drop_ins = [path for folder in _FOLDERS for path in (root / folder).glob("*.conf")]
    yield from sorted(drop_ins, key=lambda path: path.name)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
