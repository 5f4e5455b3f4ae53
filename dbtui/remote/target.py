"""What a person names on another machine: `user@host:path`, `[address]:path` or `ssh://user@host:port/path`."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_SCHEME = "ssh://"
_REFUSED = frozenset("'`\"\\;&<>|(){}$*?!#~^ \t\r\n")
"""Characters that a shell acts on: a host's name may reach one by a ProxyCommand of ssh's configuration."""


@dataclass(frozen=True)
class Target:
    """A run on another machine. `host` may be an alias of ssh's configuration, which may set user and port."""

    host: str
    path: str
    """As the person wrote it, undecodable bytes as surrogates; relative to the home folder there."""
    user: str | None = None
    port: int | None = None

    @property
    def place(self) -> str:
        """Return who and where, for messages: "user@host"."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def text(self) -> str:
        """Return what names this target on a command line."""
        if self.port is not None:
            quoted = self.path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
            return f"{_SCHEME}{self._authority}:{self.port}/{quoted.removeprefix('/')}"
        return f"{self._authority}:{self.path}"

    @property
    def name(self) -> str:
        """Return the last part of the path; empty if it has none of its own."""
        name = PurePosixPath(self.path).name
        return "" if name == ".." or name.startswith("~") else name

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" if self.user else host

    def inside(self, path: str) -> "Target":
        """Return the target at `path` on the same machine."""
        return Target(self.host, path, self.user, self.port)


def is_remote(text: str) -> bool:
    """Tell whether `text` names something on another machine: as for scp, a colon comes before the first slash."""
    if text.startswith(_SCHEME):
        return True
    if _bracketed(text):
        return True
    return ":" in text.partition("/")[0]


def parse_target(text: str) -> Target:
    """Return what `text` names. Raises UserError(CONFIG) if it names nothing, or what could harm."""
    target = _from_url(text) if text.startswith(_SCHEME) else _from_words(text)
    for what, value in (("user", target.user), ("host", target.host), ("path", target.path)):
        if value is not None:
            _check(text, what, value)
    return target


def _from_words(text: str) -> Target:
    if found := _bracketed(text):
        user, host, path = found.group("user", "host", "path")
        return Target(_address(text, host), path, user)
    place, _, path = text.partition(":")
    user, at, host = place.rpartition("@")
    return Target(host, path, user if at else None)


def _bracketed(text: str) -> re.Match[str] | None:
    """Match `[user@][address]:path`; an address of version 6 has colons of its own."""
    return re.fullmatch(r"(?:(?P<user>[^/\[\]:]*)@)?\[(?P<host>[^\]/]*)\]:(?P<path>.*)", text, re.DOTALL)


def _from_url(text: str) -> Target:
    authority, slash, path = text.removeprefix(_SCHEME).partition("/")
    if not slash:
        raise _bad(text, "it names no path")
    user, at, place = authority.rpartition("@")
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{1,5}))?", place)
    port = int(found[2]) if found and found[2] else None
    if not found or (port is not None and not 0 < port < 65536):
        raise _bad(text, f'"{safe_text(place, 80)}" is no host or host:port')
    host = _address(text, found[1][1:-1]) if found[1].startswith("[") else found[1]
    decoded = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    return Target(
        host, decoded if decoded.startswith("~") else f"/{decoded}", _decoded(user) if at else None, port
    )


def _decoded(user: str) -> str:
    return unquote_to_bytes(user.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _address(text: str, host: str) -> str:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise _bad(text, f'"{safe_text(host, 80)}" in brackets is no IPv6 address') from None
    return host


def _check(text: str, what: str, value: str) -> None:
    if not value:
        raise _bad(text, f"its {what} is empty")
    if value.startswith("-"):
        raise _bad(text, f'its {what} begins with "-", which ssh could take for an option')
    if "\0" in value:
        raise _bad(text, f"its {what} holds a NUL character")
    if what == "path":
        return
    wrong = next((each for each in value if each in _REFUSED or not each.isprintable()), None)
    if wrong is None and what == "host" and any(each in value for each in "@/["):
        wrong = next(each for each in value if each in "@/[")
    if wrong is not None:
        raise _bad(text, f'its {what} holds "{safe_text(wrong)}"')


def _bad(text: str, why: str) -> UserError:
    return UserError(
        f'"{safe_text(text, 200)}" names no run on another machine: {why}. Write user@host:path, [address]:path '
        "or ssh://user@host:port/path; a path on this machine that holds a colon begins with ./",
        ExitCode.CONFIG,
    )
