"""Finds what must not be in a file that is given to others: secrets and places on one machine."""

import re
from collections.abc import Iterator
from typing import Any

from trainer_core.config.fields import all_fields
from trainer_core.config.problems import dotted
from trainer_core.config.words import Path, shown_key
from trainer_core.text import safe_text

_SECRETS = (
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{16,}")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    ("a Weights & Biases key", re.compile(r"\bwandb_v\d+_\w{16,}|(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")),
    ("an API key", re.compile(r"\b(sk-[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16})")),
    ("a password in an address", re.compile(r"://[^/\s:@]+:[^/\s@]+@")),
)
_COMMIT = re.compile(r"""\brevision\s*=\s*["'][0-9a-f]{40}["']""")
_PLACES = (
    ("an absolute path", re.compile(r"(?<![\w.:/])/[\w.-]+/\S*|^/\w|(?<!\w)[A-Za-z]:[\\/]|^\\\\\w")),
    ("a path that leads out of its folder", re.compile(r"(?<![\w.])\.\.[\\/]")),
    ("a path in a home folder", re.compile(r"(?<![\w~])~\w*/")),
    ("an environment variable", re.compile(r"\$\{?[A-Z_]{2,}|%[A-Z_]{2,}%")),
)
_DEEPEST = 8


def secrets(text: str) -> Iterator[str]:
    """Yield a problem for each line of a file, comments included, that looks like a secret, without showing it."""
    for number, line in enumerate(text.split("\n"), start=1):
        line = _COMMIT.sub("", line)
        for what, pattern in _SECRETS:
            if pattern.search(line):
                yield f"line {number} looks like {what}; remove it (and revoke it if the file was shared)"


def machine_paths(tables: dict[str, Any]) -> Iterator[str]:
    """Yield a problem for each text in the tables that names a place on one machine.

    A setting that belongs to one machine in any case is left to whoever refuses it for that.
    """
    bindings = {key for key, field in all_fields().items() if field.binding}
    for path, text in _texts(tables, ()):
        if dotted(path) in bindings:
            continue
        for what, pattern in _PLACES:
            if found := pattern.search(text):
                shown = safe_text(found[0], limit=40)
                yield f'{shown_key(path)} contains {what} ("{shown}"); a preset holds nothing of one machine'
                break


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif len(path) < _DEEPEST and isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif len(path) < _DEEPEST and isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, place))
