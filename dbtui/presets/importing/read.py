"""Reads what was pasted, whatever it is, and turns it into settings."""

from dbtui.presets.importing.command import LONGEST_TEXT, Command, read_commands
from dbtui.presets.importing.no_training import why_not
from dbtui.presets.importing.peers.known import peer_of
from dbtui.presets.importing.result import Imported
from dbtui.presets.importing.settings_file import read_settings
from dbtui.presets.importing.settings_json import LISTS_ARE_NAMED, WITH_LISTS, Beside
from dbtui.presets.importing.translate import translate
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def import_text(text: str, shown: str, beside: Beside | None = None) -> Imported:
    """Return what the one command in a text, or a settings file, means here; `shown` names the text in messages.

    `beside` are files that the settings name.

    Raises:
        UserError: there is no command that trains, or several, or it trains what cannot be trained here.
    """
    if len(text) > LONGEST_TEXT:
        raise _error(f"{shown} is larger than {LONGEST_TEXT // 1024} KB, which no command is")
    beside = beside or Beside()
    settings = read_settings(text, shown, beside)
    if (beside.concepts or beside.samples) and (settings is None or settings.script not in WITH_LISTS):
        raise _error(f"{shown}: {LISTS_ARE_NAMED}")
    commands = [settings] if settings else read_commands(text)
    others = [why for command in commands if (why := why_not(command))]
    training = [command for command in commands if not why_not(command)]
    if len(training) > 1:
        names = ", ".join(safe_text(command.script or "options without a script", 60) for command in training[:6])
        raise _error(f"{shown} holds {len(training)} commands that train ({names}): leave one of them")
    if not training:
        raise UserError(others or [_nothing(shown)], ExitCode.CONFIG)
    imported = _imported(training[0], shown)
    imported.notes += others
    return imported


def _imported(command: Command, shown: str) -> Imported:
    peer = peer_of(command.script, command.options)
    if peer is None:
        name = safe_text(command.script or "the command", 80)
        raise _error(f"{shown}: {name} is not known, and its options are not those of a trainer that is")
    imported = translate(command, peer)
    if command.script not in peer.scripts:
        imported.notes.append(f"its options are read as those of {peer.name}")
    return imported


def _nothing(shown: str) -> str:
    return (
        f"{shown} holds no command that trains: paste it whole, such as `accelerate launch train_db.py --...`,"
        " with the variables set above it"
    )


def _error(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
