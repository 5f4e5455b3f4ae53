"""The person's own configuration file: commands and webhooks, which never come from anything that is shared.

It lies where the system keeps such files (platformdirs; `~/.config/dbtui/config.toml` on Linux). Presets, run
files, datasets and models come from others; nothing in them can name a command.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trainer_core.config.toml_file import parse_toml, read_text
from trainer_core.config.words import shown_value
from trainer_core.errors import ExitCode, UserError
from trainer_core.hooks.wrong import wrong_words
from trainer_core.on_disk import is_absent
from trainer_core.text import safe_text

FOLDER_VARIABLE = "DBTUI_CONFIG_DIR"
FILE = "config.toml"
SCHEMA_VERSION: Final = 1


def _https(address: str) -> str:
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise ValueError("must not hold a login: use the address that the service gives for webhooks")
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))
    ):
        raise ValueError("must begin with https:// (http:// is allowed to this machine only)")
    return address


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _named(words: list[str]) -> list[str]:
    if not words[0] or any("\0" in word for word in words):
        raise ValueError('must begin with the name of a program, such as ["notify-send", "done"]')
    return words


Command = Annotated[list[str], Field(min_length=1, max_length=200), AfterValidator(_named)]
Address = Annotated[str, Field(max_length=2000), AfterValidator(_https)]
Minutes = Annotated[float, Field(gt=0, le=10_080, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Hook(_Table):
    """What to do when a run ends in one way: a command, a webhook, or both."""

    command: Command | None = None
    webhook: Address | None = None
    timeout_minutes: Minutes = 10


class Upload(_Table):
    """How to bring the result elsewhere, and how to ask what has arrived: `verify` prints SHA-256 sums."""

    command: Command
    verify: Command | None = None
    timeout_minutes: Minutes = 360


class AfterUpload(_Table):
    """A command for when the result is safe elsewhere, such as one that stops the machine."""

    command: Command
    timeout_minutes: Minutes = 10


class UserConfig(_Table):
    """The whole file."""

    schema_version: Literal[1] = Field(SCHEMA_VERSION, alias="schema")
    upload: Upload | None = None
    on_finish: Hook | None = None
    on_failure: Hook | None = None
    on_stop: Hook | None = None
    after_upload: AfterUpload | None = None


def user_config_path() -> Path | None:
    """Return where the file lies or would lie; None on a system that knows no home."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named) / FILE
    from platformdirs import user_config_dir

    try:
        return Path(user_config_dir("dbtui")) / FILE
    except RuntimeError:
        return None


def read_user_config() -> UserConfig:
    """Return what the person configured; nothing if there is no file.

    Raises:
        UserError: anything is wrong with it, everything at once (code CONFIG).
    """
    path = user_config_path()
    if path is None or is_absent(path):
        return UserConfig()
    shown, text = safe_text(path), read_text(path)
    if path.stat().st_mode & stat.S_IWOTH:
        text = f"{shown} can be written by everybody, who could have commands run by it: chmod o-w {shown}"
        raise UserError(text, ExitCode.CONFIG)
    tables = parse_toml(text, shown)
    version = tables.get("schema", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(
            f"{shown}: made by a newer dbtui (schema {shown_value(version)}): upgrade dbtui", ExitCode.CONFIG
        )
    try:
        config = UserConfig.model_validate(tables)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise UserError([f"{shown}: {wrong_words(each, UserConfig)}" for each in found], ExitCode.CONFIG) from None
    if problems := [f"{shown}: {problem}" for problem in _contradictions(config)]:
        raise UserError(problems, ExitCode.CONFIG)
    return config


def user_config_problems() -> list[UserError]:
    """Return what is wrong with the file, and which of its programs this machine does not have."""
    try:
        config = read_user_config()
    except UserError as error:
        return [error]
    missing = [
        f"{safe_text(user_config_path())}: {name} names the program {shown_value(command[0])}, which is not on"
        " this machine: install it, give its full path, or remove the command"
        for name, command in _commands(config)
        if shutil.which(command[0]) is None
    ]
    return [UserError(missing, ExitCode.CONFIG)] if missing else []


def _commands(config: UserConfig) -> Iterator[tuple[str, list[str]]]:
    for table in UserConfig.model_fields:
        for name in ("command", "verify"):
            if command := getattr(getattr(config, table), name, None):
                yield f"{table}.{name}", command


def _contradictions(config: UserConfig) -> Iterator[str]:
    if config.after_upload and config.upload and config.upload.verify is None:
        yield (
            "after_upload needs upload.verify, a command that prints the SHA-256 sums of what has arrived: without"
            " it nobody knows whether the model is safe elsewhere"
        )
    for name in ("on_finish", "on_failure", "on_stop"):
        hook = getattr(config, name)
        if hook and hook.command is None and hook.webhook is None:
            yield f"[{name}] does nothing: give it a command or a webhook"
