"""What a training that broke leaves to go on from."""

from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory
from trainer_core.train.checkpoint import checkpoints


def what_is_left(run: RunDirectory, code: ExitCode) -> list[str]:
    """Return in a line what `run`, which ended with this `code`, can go on from, and what comes of it."""
    found = checkpoints(run.checkpoints)
    if not found:
        return ["No state was saved before, so nothing is there to resume from: start anew."]
    newest = found[-1].name
    left = f"The state after step {int(newest)} is kept (checkpoints/{newest}): `dbtui resume` goes on from there."
    if code is ExitCode.NON_FINITE:
        left += " With the same settings and pictures it would come to the same step again."
    return [left]
