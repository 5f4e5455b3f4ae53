"""The number of the checkpoints' format: older ones are brought up to date, newer ones refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_core import __version__
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

FORMAT = 2
"""Format of what is written today. Raise it with each change of state.json or of the files beside it, add a step
to `_STEPS`, and make a fixture with tests/trainer/checkpoint_formats/make_fixture.py."""
STATE = "state.json"

State = dict[str, Any]


def read_state(checkpoint: Path) -> State:
    """Return the state.json of a checkpoint as if it were written today.

    Raises:
        UserError: it is of a newer format (code RESUME).
        OSError, ValueError, KeyError, TypeError: it cannot be read.
    """
    refuse_newer(checkpoint)
    state: State = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    while state["format"] < FORMAT:
        state = _STEPS[state["format"]](state)
    return state


def refuse_newer(checkpoint: Path) -> None:
    """Raise UserError(RESUME) if a newer dbtui wrote this checkpoint; one that cannot be read is not refused."""
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        found, version = state["format"], state.get("version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if type(found) is int and found > FORMAT:
        writer = safe_text(version, 40)
        raise UserError(
            f"{safe_text(checkpoint)} was written by dbtui {writer}, which is newer than this {__version__} (its "
            f"format is {found}, this one reads up to {FORMAT}): upgrade to dbtui {writer} or later, then "
            "`dbtui resume` again.",
            ExitCode.RESUME,
        )


def _with_totals(state: State) -> State:
    """Format 2 counts over all resumes; what came before was not counted."""
    return {**state, "format": 2, "totals": {"seconds": 0.0, "images": 0, "resumes": 0}}


_STEPS: dict[int, Callable[[State], State]] = {1: _with_totals}
"""Brings a state of this format to the next one."""
