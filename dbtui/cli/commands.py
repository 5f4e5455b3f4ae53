"""`dbtui stop`, `save` and `sample`: ask a running trainer for something and wait for its answer."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.dashboard.state import Ack
    from trainer_core.run.control import CommandKind
    from trainer_core.run.directory import RunDirectory

_PATIENCE = 10.0


def stop(
    run: options.Run = None, runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False
) -> int:
    """Ask the trainer to end its step, save, and stop."""
    return _command("stop", run, runs_dir, as_json)


def save(
    run: options.Run = None, runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False
) -> int:
    """Ask the trainer to save a model now and go on."""
    return _command("save", run, runs_dir, as_json)


def sample(
    run: options.Run = None, runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR, as_json: options.Json = False
) -> int:
    """Ask the trainer to draw the previews now and go on."""
    return _command("sample", run, runs_dir, as_json)


def _command(kind: "CommandKind", wanted: str | None, runs_dir: Path, as_json: bool) -> int:
    """Append a command, wait a moment for the trainer's answer, and say it. Exit code 1 if it refused."""
    from dbtui.runs.find import choose_run
    from trainer_core.run.control import append_command
    from trainer_core.run.events import EventReader
    from trainer_core.run.lock import is_alive

    chosen = choose_run(runs_dir, wanted)
    if not is_alive(chosen):
        raise UserError(f"{chosen.name} is not running: there is no trainer to {kind} it", ExitCode.CONFIG)
    events = EventReader(chosen.events)
    events.poll()
    command_id = append_command(chosen, kind)
    ack = _wait_for_ack(chosen, events, command_id)
    if as_json:
        answer = {"ok": ack.ok, "text": ack.text} if ack else {"ok": None, "text": ""}
        print_json({"run": chosen.name, "command": kind, "id": command_id, **answer})
    elif ack is None:
        narrate(f"{kind} is asked for; {chosen.name} will do it as soon as it can (it has not answered yet)")
    else:
        narrate(f"{chosen.name}: {safe_text(ack.text) or ('done' if ack.ok else 'refused')}")
    return int(ExitCode.FAILED if ack and not ack.ok else ExitCode.DONE)


def _wait_for_ack(run: "RunDirectory", events: Any, command_id: str) -> "Ack | None":
    from dbtui.dashboard.state import fold
    from trainer_core.run.lock import is_alive

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        lives = is_alive(run)
        if ack := fold(events.poll()).acks.get(command_id):
            return ack
        if not lives:
            return None
        time.sleep(0.1)
    return None
