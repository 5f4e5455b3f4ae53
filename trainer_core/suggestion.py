"""Which of the saved models to take: told from a run's events, with its reason in words. No torch.

The rule weighs what was learned against what the class lost. Learned is the share of the fall of the loss since
before the first step, in logarithms: halving it counts the same anywhere. On the training's own pictures
it goes on falling, ever slower, while the model learns them by heart; on held-out ones it rises again. Lost is the
drift, DRIFT_COSTS times as heavy, of models that learned enough. The weight was chosen on the drawn world
(benchmarks/suggested.py).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer_core.run.directory import RunDirectory
from trainer_core.run.event_values import Event, number_in

DRIFT_COSTS = 6.0
"""A drift by one percent outweighs this many percent of the fall of the loss."""
ENOUGH = 0.65
"""Share of the fall of the loss without which the subject is not there, however little the class drifted."""
NEAR = 0.10
"""Share of the fall of the loss within which a loss counts as near the lowest, where no drift is known."""
STILL_FALLING = 0.05
"""Share of the whole fall by which the loss of the last model lies below that of the one before it."""
_MOST = 4096
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers of one step.

    Attributes:
        drift: share by which the predictions for the class changed; None where no class is known.
        held_out: pictures, of those measured, that were not trained.
        measure: tells what was measured; numbers of different measures cannot be compared.
    """

    step: int
    loss: float
    drift: float | None
    held_out: int
    measure: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One of the saved models, and why it.

    Attributes:
        path: as its event tells it.
        reason: a sentence without its end.
        is_measured: whether numbers say so; else there was nothing to choose by.
    """

    step: int
    path: str
    reason: str
    is_measured: bool


@dataclass(slots=True)
class Course:
    """What was measured and saved, folded from events one by one."""

    measured: dict[int, Measured] = field(default_factory=dict)
    saved: dict[int, str] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        """Take in one event; kinds that do not matter here, and damaged ones, change nothing."""
        step = number_in(event, "from_step" if event.get("kind") == "resumed" else "step")
        if step is None or step < 0:
            return
        match event.get("kind"):
            case "validation":
                self._measure(int(step), event)
            case "saved":
                if isinstance(path := event.get("path"), str) and path:
                    _keep(self.saved, int(step), path)
            case "resumed":
                self.measured = {at: each for at, each in self.measured.items() if at <= step}
                self.saved = {at: path for at, path in self.saved.items() if at <= step}

    @property
    def last(self) -> Measured | None:
        """The newest numbers."""
        return self.measured[max(self.measured)] if self.measured else None

    @property
    def comparable(self) -> list[Measured]:
        """The numbers that can be compared with the newest, their steps rising."""
        last = self.last
        return [each for _, each in sorted(self.measured.items()) if last and each.measure == last.measure]

    def _measure(self, step: int, event: Event) -> None:
        loss, drift = number_in(event, "loss"), number_in(event, "drift")
        if loss is not None:
            held_out = int(number_in(event, "held_out") or 0)
            _keep(self.measured, step, Measured(step, loss, drift, held_out, str(event.get("measure"))))


def steps_measured(events: Iterable[Event], measure: str, until: int) -> set[int]:
    """Return the steps up to `until` that an earlier process of the run measured so."""
    course = Course()
    for event in events:
        course.see(event)
    return {each.step for each in course.measured.values() if each.measure == measure and each.step <= until}


def suggest(course: Course, exists: Callable[[str], bool] = lambda path: True) -> Suggestion | None:
    """Return the model to take; None where none was saved.

    `exists` tells whether a path is still there. Where none is, as beside a run on another machine, all count.
    """
    saved = {step: path for step, path in course.saved.items() if exists(path)} or course.saved
    if not saved:
        return None
    newest = max(saved)
    course_of_it = course.comparable
    choices = [each for each in course_of_it if each.step in saved]
    if len(saved) < 2:
        why = "only one model was saved; save.every_n_steps gives more to compare"
        return Suggestion(newest, saved[newest], why, is_measured=False)
    if len(choices) < 2:
        why = "nothing was measured that tells the saved models apart (validation.samples); this is the newest"
        return Suggestion(newest, saved[newest], why, is_measured=False)
    best = _best(choices, course_of_it)
    reason = _reason(best, choices, course_of_it)
    gone = [each for each in course_of_it if each.step in course.saved]
    if (better := _best(gone, course_of_it)).step not in saved:
        reason += f"; step {better.step:,} would have been better, but its file is not there any more"
    return Suggestion(best.step, saved[best.step], reason, is_measured=True)


def there(run: RunDirectory) -> Callable[[str], bool]:
    """Return what tells whether a model is there, also of a run that was brought here from elsewhere."""
    return lambda path: (run.path / path).exists() or (run.output / Path(path).name).exists()


def _best(choices: Sequence[Measured], course: Sequence[Measured]) -> Measured:
    lowest, begin = min(choices, key=_loss), _begin(course)
    if lowest.loss >= begin.loss:
        return lowest
    if any(each.drift is None for each in choices):
        near = (each for each in choices if _learned(each, begin, lowest) >= 1 - NEAR)
        return lowest if lowest.held_out else next(near)
    enough = [each for each in choices if _learned(each, begin, lowest) >= ENOUGH]
    return max(enough, key=lambda each: _learned(each, begin, lowest) - DRIFT_COSTS * (each.drift or 0.0))


def _learned(measured: Measured, begin: Measured, lowest: Measured) -> float:
    """Return the share of the fall of the loss, from `begin` to `lowest`, that is done: in logarithms."""
    return _log(begin, measured) / _log(begin, lowest)


def _log(one: Measured, other: Measured) -> float:
    return math.log(max(one.loss, _SMALLEST) / max(other.loss, _SMALLEST))


def _reason(best: Measured, choices: Sequence[Measured], course: Sequence[Measured]) -> str:
    lowest, last, begin = min(choices, key=_loss), choices[-1], _begin(course)
    what = f"the loss on {_pictures(best)}"
    if lowest.loss >= begin.loss:
        return (
            f"{what} is nowhere below what it was before ({begin.loss:.4f}), and least above it here "
            f"({best.loss:.4f}): the learning rate may be far too high or too low"
        )
    if best is lowest:
        said = f"{what} is the lowest here ({begin.loss:.4f} before, {best.loss:.4f} now)"
    else:
        share = _learned(best, begin, lowest)
        fall = f"{begin.loss:.4f} before, {best.loss:.4f} here"
        said = f"{what} has fallen by {share:.0%} of what it does in all ({fall})"
    if best is last:
        is_falling = 1 - _learned(choices[-2], begin, last) > STILL_FALLING
        more = ["it is the last, and the loss still fell: more steps may be better"] if is_falling else []
        drift = [] if best.drift is None else [f"the class moved by {best.drift:.1%}"]
        return "; ".join([said, *drift, *more])
    return "; ".join([said, *_later(best, last)])


def _later(best: Measured, last: Measured) -> list[str]:
    """Say what the later ones are like."""
    if last.loss < best.loss:
        what = "the held-out ones" if best.held_out else "the training pictures"
        later = f"later ones fit {what} more"
    elif best.held_out:
        later = f"later ones do worse on pictures that they have not seen ({last.loss:.4f} at step {last.step:,})"
    else:
        later = "later ones are no better"
    if best.drift is None or last.drift is None:
        return [later]
    if last.drift > best.drift:
        later += f", and the class is off by {last.drift:.1%} at step {last.step:,}"
    return [f"the class moved by {best.drift:.1%}", later]


def _pictures(measured: Measured) -> str:
    if not measured.held_out:
        return "the training pictures"
    return f"{measured.held_out} held-out picture" + "s" * (measured.held_out > 1)


def _begin(course: Sequence[Measured]) -> Measured:
    """Return the numbers before the first step; without them, the worst there are."""
    return course[0] if course[0].step == 0 else max(course, key=_loss)


def _loss(measured: Measured) -> float:
    return measured.loss


def _keep(numbered: dict[int, Any], step: int, value: Any) -> None:
    numbered.pop(step, None)
    numbered[step] = value
    while len(numbered) > _MOST:
        del numbered[next(iter(numbered))]
