"""What every row asks for after its fault: whole checkpoints, a clear message, a stable code, the same weights."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode
from trainer_core.run.atomic import STAGING_PREFIX
from trainer_core.run.checkpoints import checkpoints, verified_manifest
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader

PATIENCE = 120.0
_NEXT_ACTION = re.compile(
    r"`dbtui |dbtui (run|resume|attach|plan|runs|doctor|convert)|set |free |name another|choose|put (it|them) back"
    r"|remove |name one|download |upgrade|lower |look at|did you mean|check |start |wait |use |convert|install"
    r"|stop it|can be|log in"
)
"""Words with which a message tells what to do now."""


def events(run: RunDirectory, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the events of the run, or those of one kind."""
    return [event for event in EventReader(run.events).poll() if kind in {None, event["kind"]}]


def losses(run: RunDirectory) -> dict[int, float]:
    """Return the loss of each step as it counts after all resumes."""
    steps: dict[int, float] = {}
    for event in events(run):
        if event["kind"] == "resumed":
            steps = {step: loss for step, loss in steps.items() if step <= event["from_step"]}
        if event["kind"] == "step":
            steps[event["step"]] = event["loss"]
    return steps


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
    """Wait until `condition` holds; return what it gave."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)
    return value


def wait_for(run: RunDirectory, kind: str, **fields: Any) -> dict[str, Any]:
    """Wait for an event with these fields; return it."""

    def found() -> dict[str, Any] | None:
        assert "\nerror: " not in console(run), console(run)
        return next((each for each in events(run, kind) if fields.items() <= each.items()), None)

    event: dict[str, Any] = wait_until(found, f"the event {kind} {fields}; console: {console(run)[-2000:]}")
    return event


def wait_for_step(run: RunDirectory, step: int) -> None:
    """Wait until the run has done this step."""

    def found() -> bool:
        assert "\nerror: " not in console(run), console(run)
        return any(each["step"] >= step for each in events(run, "step"))

    wait_until(found, f"step {step} is done; console: {console(run)[-2000:]}")


def console(run: RunDirectory) -> str:
    """Return what the trainer printed."""
    return run.console_log.read_text(errors="replace") if run.console_log.exists() else ""


def valid(run: RunDirectory) -> list[Path]:
    """Return the checkpoints whose every byte verifies, oldest first."""
    found = []
    for path in checkpoints(run.checkpoints):
        try:
            verified_manifest(path)
        except (OSError, ValueError, KeyError):
            continue
        found.append(path)
    return found


def strays(run: RunDirectory) -> list[Path]:
    """Return what interrupted writes left behind, anywhere in the run."""
    return list(run.path.rglob(f"{STAGING_PREFIX}*"))


def content(path: Path) -> str:
    """Return a hash of every file below a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def ended_well_told(run: RunDirectory, status: int, code: ExitCode) -> str:
    """Assert that a trainer that failed ended with `code` and said why and what to do; return what it said."""
    (*_, last) = events(run)
    assert (status, last["kind"], last["exit_code"]) == (int(code), "failed", int(code)), (console(run), last)
    well_told(console(run))
    assert _NEXT_ACTION.search(last["text"]), f"no next action: {last['text']}"
    return str(last["text"])


def well_told(text: str) -> str:
    """Assert that a message for a person is no traceback and says what to do next; return it."""
    assert "Traceback" not in text, text
    assert _NEXT_ACTION.search(text), f"no next action: {text}"
    return text


def weights(run: RunDirectory) -> dict[str, Any]:
    """Return the tensors of the finished model."""
    from safetensors.torch import load_file

    (model,) = [path for path in run.output.glob("*.safetensors") if "-step" not in path.name]
    return load_file(model)


def same_weights(run: RunDirectory, other: RunDirectory) -> bool:
    """Tell whether two runs ended in the same model, bit for bit."""
    one, two = weights(run), weights(other)
    return one.keys() == two.keys() and all(tensor.equal(two[name]) for name, tensor in one.items())


def rewrite_manifest(checkpoint: Path) -> None:
    """Make the manifest fit what lies there now: a checkpoint that somebody wrote this way."""
    manifest = {
        file.name: {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in sorted(checkpoint.iterdir())
        if file.name != "manifest.json"
    }
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
