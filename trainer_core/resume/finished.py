"""A run that is done: it goes on only if it is to train further than it did."""

from shlex import quote

from trainer_core.config.schema import Train
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.checkpoints import checkpoints
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader
from trainer_core.text import safe_text


def is_finished(run: RunDirectory) -> bool:
    """Tell whether the run came to its end and was not resumed since."""
    kinds = [event.get("kind") for event in EventReader(run.events).poll()]
    last = [kind for kind in kinds if kind in {"finished", "resumed"}][-1:]
    return last == ["finished"]


def refuse_finished(run: RunDirectory, wishes: Wishes) -> None:
    """Raise UserError(RESUME) if the run is done, unless it is wished longer and left a state to go on from."""
    if not is_finished(run):
        return
    done = f"{run.name} is done already: see {safe_text(run.output)}."
    if not checkpoints(run.checkpoints):
        raise UserError(f"{done} It left no state to go on from: start a new run from its model.", ExitCode.RESUME)
    if not _is_longer(NO_WISHES.configuration(run).train, wishes.configuration(run).train):
        further = f"dbtui resume {quote(safe_text(run.path))} --set train.max_steps=N"
        raise UserError(f"{done} Start a new run, or train it further: {further}", ExitCode.RESUME)


def _is_longer(was: Train, now: Train) -> bool:
    if now.epochs is not None and was.epochs is not None:
        return now.epochs > was.epochs
    return now.max_steps is not None and (was.max_steps is None or now.max_steps > was.max_steps)
