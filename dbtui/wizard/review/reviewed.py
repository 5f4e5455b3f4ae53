"""Everything about a run before it is started: configuration, plan, what is wrong, what is good to know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dbtui.doctor import graphics
from dbtui.runs import logout
from dbtui.runs.prepare import next_name
from dbtui.wizard.answers import config_of, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.review.mends import Mend, mends_of, no_values, unanswered, unwritten_captions
from dbtui.wizard.review.run_file import holds
from trainer_core.config.bindings import require_bindings
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError
from trainer_core.plan import Plan, make_plan
from trainer_core.text import safe_text

WRITTEN = "review.written"
"""Where a draft keeps the run file that was written of it, in `aside`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What was found. Without a configuration there is neither a plan nor a file to write.

    Attributes:
        text: the run file, as it is written and shown.
        name: what the run is called if the person gives no name.
        mends: what keeps the run from starting.
        notes: what is good to know before the start; safe to show.
        written: where that very file was written, "" if it was not.
    """

    config: Config | None = None
    plan: Plan | None = None
    text: str = ""
    name: str = ""
    mends: tuple[Mend, ...] = ()
    notes: tuple[str, ...] = ()
    written: str = ""

    @property
    def can_start(self) -> bool:
        """Whether nothing is wrong."""
        return self.plan is not None and not self.mends


def review(draft: Draft, runs_dir: Path, progress: Callable[[int, int], None] | None = None) -> Reviewed:
    """Look at everything; what is wrong is returned, not raised. Every picture is decoded (and remembered)."""
    missing, typed = tuple(unanswered(draft)), tuple(no_values(draft))
    try:
        config = _as_if_answered(draft) if missing else config_of(draft)
    except UserError as error:
        return Reviewed(mends=(*missing, *typed, *mends_of([error])))
    if missing:
        return Reviewed(mends=(*missing, *typed))
    plan = make_plan(config, runs_dir, deep=True, progress=progress)
    text = dump_config(config)
    written = draft.aside.get(WRITTEN, "")
    return Reviewed(
        config=config,
        plan=plan,
        text=text,
        name=next_name(config, plan, runs_dir),
        mends=(*typed, *mends_of(plan.errors), *unwritten_captions(draft, plan.scan)),
        notes=tuple(_notes()),
        written=written if written and holds(Path(written), text) else "",
    )


def _as_if_answered(draft: Draft) -> Config:
    """Return the configuration as if what is missing were there, so that all else that is wrong is told too.

    Raises:
        UserError: what else is wrong.
    """
    config = resolved(draft)
    require_bindings(
        config.model_copy(
            update={
                "model": config.model.model_copy(update={"base": config.model.base or "."}),
                "dataset": config.dataset.model_copy(update={"train_dir": config.dataset.train_dir or "."}),
                "concept": [
                    each.model_copy(update={"instance_dir": each.instance_dir or "."}) for each in config.concept
                ],
            }
        )
    )
    return config


def _notes() -> Iterator[str]:
    """Yield what this machine has to say: which card trains, and what a logout does."""
    gpus = graphics.find_gpus()
    if gpus.used is None:
        why = f" ({safe_text(gpus.failure, 200)})" if gpus.failure else ""
        yield (
            f"no graphics card was found{why}: on a processor a full-size training takes days; "
            "w writes the file for another machine"
        )
    if warning := logout.logout_warning():
        yield warning
