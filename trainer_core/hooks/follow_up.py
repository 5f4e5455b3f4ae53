"""What follows a run's end, in its order: the report, the hook for how it ended, and what waits for the upload."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trainer_core.errors import UserError
from trainer_core.hooks.command import CommandError, run_command
from trainer_core.hooks.outcome import Outcome
from trainer_core.hooks.user_config import Hook, UserConfig, read_user_config
from trainer_core.hooks.webhook import WebhookError, post
from trainer_core.hooks.witness import Witness
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text


@contextmanager
def followed_up(run: RunDirectory, events: EventWriter, concluded: Callable[[int], None]) -> Iterator[None]:
    """Do what follows the end of the training inside; none of it changes how that ended.

    `concluded` is called first, with the exit code: everything is saved then.
    """
    witness = Witness()
    events.watchers.append(witness.see)
    try:
        yield
    finally:
        if outcome := witness.outcome(run):
            try:
                concluded(outcome.exit_code)
                events.flush()
                _write_report(run, events)
                if _run_hooks(outcome, events) and run.report.is_file():  # a hook may have moved everything away
                    events.flush()
                    _write_report(run, events)
            except Exception:  # noqa: BLE001 - whatever happens here, the training ended as it ended
                traceback.print_exc()


def _write_report(run: RunDirectory, events: EventWriter) -> None:
    try:
        from trainer_core.report.write import write_report

        write_report(run)
    except Exception as error:  # noqa: BLE001 - no page is worth a training
        if not isinstance(error, OSError):  # a disk that is full says enough in a line
            traceback.print_exc(file=sys.stderr)
        text = f"report.html could not be written ({type(error).__name__}: {safe_text(error, 200)})"
        _warn(events, "report", f"{text}; to try again: dbtui report {run.name}")


def _run_hooks(outcome: Outcome, events: EventWriter) -> bool:
    """Run what the user's configuration asks for; return whether it asks for anything."""
    try:
        config = read_user_config()
    except UserError as error:
        _warn(events, "hook", f"no hook was run: {error.problems[0]}")
        return True
    name = _hook_of(outcome)
    if hook := getattr(config, name):
        _run_hook(name, hook, outcome, events)
    _run_after_upload(config, outcome, events)
    return bool(hook or config.after_upload)


def _hook_of(outcome: Outcome) -> str:
    """Return which hook this end calls for; an upload that failed is a failure, though the training is done."""
    if outcome.state == "stopped":
        return "on_stop"
    return "on_finish" if outcome.state == "done" and outcome.upload != "failed" else "on_failure"


def _run_hook(name: str, hook: Hook, outcome: Outcome, events: EventWriter) -> None:
    if hook.webhook:
        address = hook.webhook
        _attempt(f"{name}.webhook", lambda: post(address, outcome.message(name)), events)
    if hook.command:
        _run(name, hook.command, hook.timeout_minutes, outcome, events)


def _run_after_upload(config: UserConfig, outcome: Outcome, events: EventWriter) -> None:
    """Run after_upload only where everything that was uploaded is known to have arrived."""
    after = config.after_upload
    if after is None or outcome.state != "done":
        return
    if outcome.upload == "verified":
        _run("after_upload", after.command, after.timeout_minutes, outcome, events)
        return
    why = {
        "none": "nothing was uploaded",
        "failed": "the upload failed or did not verify",
        "unverified": "nobody knows whether the upload arrived",
    }[outcome.upload]
    _warn(events, "hook", f"after_upload was not run: {why}")


def _run(name: str, command: list[str], minutes: float, outcome: Outcome, events: EventWriter) -> None:
    environment = outcome.environment(name)
    _attempt(f"{name}.command", lambda: run_command(command, environment, outcome.run.path, minutes), events)


def _attempt(what: str, action: Callable[[], object], events: EventWriter) -> None:
    started = time.monotonic()
    try:
        action()
    except (CommandError, WebhookError) as error:
        return _warn(events, "hook", f"{what} failed: {error}")
    events.emit("hook", name=what, text=f"{what} ran", seconds=round(time.monotonic() - started, 3))
    return None


def _warn(events: EventWriter, code: str, text: str) -> None:
    events.emit("warning", code=code, text=text, step=None)
