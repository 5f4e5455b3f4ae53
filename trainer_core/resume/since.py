"""What of a run that is resumed is not what it was at its newest checkpoint, seen before a model is loaded."""

from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Config
from trainer_core.data.originals import Originals
from trainer_core.on_disk import is_file
from trainer_core.plan import Plan
from trainer_core.resume.differences import Difference, compare
from trainer_core.resume.facts import Facts, facts_of
from trainer_core.run.checkpoint_format import read_state, refuse_newer
from trainer_core.run.checkpoints import checkpoints, looks_whole
from trainer_core.run.directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Since:
    """The checkpoint that a run will most likely go on from (its tensors are not read yet), and what differs."""

    checkpoint: Path
    step: int
    differences: tuple[Difference, ...]


def changes_of(run: RunDirectory, config: Config, plan: Plan) -> Since | None:
    """Compare the run's newest checkpoint with `config` and `plan`; None where there is none to go on from.

    Raises:
        UserError: a newer dbtui wrote it (code RESUME), or a picture cannot be read any more (code DATASET).
    """
    for path in reversed(checkpoints(run.checkpoints)):
        refuse_newer(path)
        if remembered := _remembered(path):
            step, was = remembered
            paths = [item.picture.path for item in plan.items]
            there = [each for each in paths if is_file(each)]  # the others will be drawn
            digests = Originals.of(there, config.train.workers).digests
            now = facts_of(config, plan.items, plan.fits, digests, total_steps=plan.total_steps)
            return Since(path, step, tuple(compare(was, now, config, step)))
    return None


def _remembered(path: Path) -> tuple[int, Facts] | None:
    """Return step and facts of a checkpoint; None where it is damaged, as far as that shows at a glance."""
    try:
        state = read_state(path) if looks_whole(path) else {}
        step, facts = int(state["step"]), state["facts"]
        return step, {**facts, "settings": dict(facts["settings"]), "pictures": list(facts["pictures"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
