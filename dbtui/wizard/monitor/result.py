"""What became of a run: how it ended, its pictures and curves, and what can be done now."""

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from dbtui.dashboard.curve import LossCurve
from dbtui.dashboard.plot import Point
from dbtui.dashboard.state import Preview as EventPreview
from dbtui.dashboard.status import Status
from dbtui.dashboard.summary import summarize_end
from dbtui.wizard.home.rows import preview_path
from dbtui.wizard.monitor.watch import Watch
from dbtui.wizard.review.mends import Mend, mends_of
from trainer_core.errors import ExitCode, UserError
from trainer_core.report.previews import Row, rows_of
from trainer_core.report.story import Series, Story, fold
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader

_NO_MEND = {ExitCode.DONE, ExitCode.STOPPED}


@dataclass(frozen=True)
class Shown:
    """A preview that can be looked at."""

    step: int
    path: Path
    prompt: str


@dataclass(frozen=True)
class Curve:
    """A number over the steps, as points of a plot."""

    raw: tuple[Point, ...] = ()
    smooth: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Length:
    """How long a run was meant to train, and the setting that says so."""

    key: str
    value: int


@dataclass(frozen=True)
class Result:
    """Everything that the result's screen shows."""

    status: Status
    lines: tuple[Text, ...]
    before: Shown | None
    after: Shown | None
    loss: Curve
    validation: tuple[Point, ...]
    """The loss at fixed noise."""
    vram: Curve
    mends: tuple[Mend, ...]
    length: Length | None
    """What to raise so that a run that is done trains longer."""
    model: Path | None
    """The newest model, if it is there."""


def result_of(watch: Watch) -> Result:
    """Read a run that is over; it may take a moment."""
    follower, facts = watch.follower, watch.facts
    follower.poll()
    code, death, status = follower.exit_code(), follower.silent_death(), follower.status()
    story = fold(EventReader(watch.run.events).poll())
    before, after = compared(watch.run, rows_of(story.previews))
    return Result(
        status=status,
        lines=tuple(_lines(watch, status, code, death)),
        before=before,
        after=after,
        loss=_curve(story.series["loss"]),
        validation=tuple((float(each.step), each.loss) for each in story.course.comparable),
        vram=_curve(story.series["vram_gb"]),
        mends=tuple(_mends(story, code)),
        length=_length(facts.max_steps, watch.run),
        model=_model(watch.run, story),
    )


def _lines(watch: Watch, status: Status, code: ExitCode, death: str) -> Sequence[Text]:
    follower, facts = watch.follower, watch.facts
    if status == "not started":
        return [Text(f"· {facts.name} has not been started: r starts it", "bold")]
    if status == "fetched":
        words = f"↓ {facts.name} is a copy of a run that {facts.fetched_from} was still training"
        return [Text(words, "bold"), Text(f"  for what came since: {facts.bring_it}")]
    return summarize_end(follower.state, facts, code, death, follower.last_words() if death else ())


def compared(run: RunDirectory, rows: Sequence[Row]) -> tuple[Shown | None, Shown | None]:
    """Return the first and the last preview of the prompt and seed that was drawn over most steps."""
    there = [(shown_of(run, row), row) for row in rows]
    shown = max((found for found, _ in there), key=len, default=[])
    if not shown:
        return None, None
    return (shown[0], shown[-1]) if len(shown) > 1 else (None, shown[0])


def shown_of(run: RunDirectory, row: Row) -> list[Shown]:
    """Return the previews of a row whose files are there, their steps rising."""
    paths = [
        (each, preview_path(run, EventPreview(each.step, each.path, row.prompt, row.seed)))
        for each in row.previews
    ]
    return [Shown(each.step, path, row.prompt) for each, path in paths if path and path.is_file()]


def _curve(series: Series) -> Curve:
    curve = LossCurve()
    for step, value in zip(series.steps, series.values, strict=True):
        curve.add(int(step), value)
    raw = tuple((float(each.last), each.mean) for each in curve.bins)
    return Curve(raw, tuple((float(each.last), each.smooth) for each in curve.bins))


def _mends(story: Story, code: ExitCode) -> Sequence[Mend]:
    if story.ending is None or code in _NO_MEND or not story.ending.text:
        return ()
    problems = [line for line in story.ending.text.split("\n") if line.strip()]
    return list(mends_of([UserError(problems, code)]))


def _length(max_steps: int | None, run: RunDirectory) -> Length | None:
    if max_steps:
        return Length("train.max_steps", max_steps)
    with suppress(OSError, ValueError, KeyError, TypeError):
        epochs = tomllib.loads(run.configuration.read_text(encoding="utf-8"))["train"]["epochs"]
        if type(epochs) is int:
            return Length("train.epochs", epochs)
    return None


def _model(run: RunDirectory, story: Story) -> Path | None:
    told = [*(story.ending.outputs if story.ending else ()), *reversed(story.saved)]
    paths = (run.path / path for path in told)
    with suppress(OSError, ValueError):
        return next((path for path in paths if path.exists()), None)
    return None
