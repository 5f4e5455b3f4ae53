"""What of a run that is resumed is not what it was at its newest checkpoint, seen before a trainer is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of
from trainer_core.config.overrides import parse_overrides
from trainer_core.config.paths import resolve
from trainer_core.config.problems import Problems
from trainer_core.config.writer import shown_toml
from trainer_core.data.originals import Originals
from trainer_core.on_disk import is_file
from trainer_core.resume.differences import Difference, compare
from trainer_core.resume.facts import Facts, facts_of
from trainer_core.run.checkpoint_format import read_state, refuse_newer
from trainer_core.run.checkpoints import checkpoints, looks_whole
from trainer_core.run.directory import RunDirectory

if TYPE_CHECKING:
    from trainer_core.config.schema import Config
    from trainer_core.plan import Plan


@dataclass(frozen=True, slots=True)
class Since:
    """The checkpoint that a run will most likely go on from (its tensors are not read yet), and what differs."""

    checkpoint: Path
    step: int
    differences: tuple[Difference, ...]


def changes_of(run: RunDirectory, config: "Config", plan: "Plan") -> Since | None:
    """Compare the run's newest checkpoint with `config` and `plan`; None where there is none to go on from.

    Raises:
        UserError: a newer dbtui wrote it (code RESUME), or a picture cannot be read any more (code DATASET).
    """
    for path in reversed(checkpoints(run.checkpoints)):
        refuse_newer(path)
        if remembered := _remembered(path):
            step, was = remembered
            there = [
                item.picture.path for item in plan.items if is_file(item.picture.path)
            ]  # others will be drawn
            digests = Originals.of(there, config.train.workers).digests
            now = facts_of(config, plan.items, plan.fits, digests, total_steps=plan.total_steps)
            return Since(path, step, tuple(compare(was, now, config, step)))
    return None


def with_absolute_paths(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return `overrides`, which were found right, for a trainer that works in another folder."""
    return tuple(_absolute(override) for override in overrides)


def _absolute(override: str) -> str:
    key = override.partition("=")[0].strip()
    field = all_fields().get(key)
    if field is None or not field.path:
        return override
    value = value_of(parse_overrides([override], Problems()), field)
    return f"{key}={shown_toml(resolve(value, field.path, Path.cwd()))}"


def _remembered(path: Path) -> tuple[int, Facts] | None:
    """Return step and facts of a checkpoint; None where it is damaged, as far as that shows at a glance."""
    try:
        state = read_state(path) if looks_whole(path) else {}
        step, facts = int(state["step"]), state["facts"]
        return step, {**facts, "settings": dict(facts["settings"]), "pictures": list(facts["pictures"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
