"""Secrets taken out of text before it enters a file of the run."""

import os
import re
from collections.abc import Sequence

HIDDEN = "[hidden]"
_TOKEN_SHAPES = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{8,}|api_org_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}"
    r"|github_pat_\w{16,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{12,}|xox[abprs]-[\w-]{10,}|ey[A-Za-z0-9_-]{10,}\.ey[\w.-]{10,})"
)
_SECRET_WORD = r"(?:token|secret|password|passwd|api[_-]?key|access[_-]?key|credentials?)"
_ASSIGNED = re.compile(rf"(?i)\b((?:[\w-]*[_-])?{_SECRET_WORD}\s*[=:]\s*)([^\s&,;\"']{{6,}})")
_URL_LOGIN = re.compile(r"(?<=://)[^/\s@]+:[^/\s@]+(?=@)")
_SECRET_NAME = re.compile(rf"(?i){_SECRET_WORD}|_pat$|_key$")
_NOT_SECRET_NAME = re.compile(r"(?i)^(?:hf_hub_disable_implicit_token|tokenizers_\w+)$")
_SECRET_OPTION = re.compile(rf"(?i)--?(?:[\w-]*[_-])?{_SECRET_WORD}")
_SHORTEST_SECRET = 8


def redact(text: str) -> str:
    """Return `text` with everything hidden that looks like a secret or is the value of a secret variable."""
    for value in _environment_secrets():
        text = text.replace(value, HIDDEN)
    text = _TOKEN_SHAPES.sub(HIDDEN, text)
    text = _URL_LOGIN.sub(HIDDEN, text)
    return _ASSIGNED.sub(lambda found: found[1] + HIDDEN, text)


def redact_command_line(arguments: Sequence[str]) -> list[str]:
    """Return the command line with secrets hidden, also the word that follows an option such as `--token`."""
    shown: list[str] = []
    for index, argument in enumerate(arguments):
        follows_secret = index > 0 and _SECRET_OPTION.fullmatch(arguments[index - 1])
        shown.append(HIDDEN if follows_secret else redact(argument))
    return shown


def _environment_secrets() -> list[str]:
    return [
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.match(name)
    ]
