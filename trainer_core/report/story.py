"""What happened in a run, folded from its events. Pure: the same events give the same story."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from trainer_core.run.event_values import LONGEST_TEXT, Event, count_in, number_in, text_in
from trainer_core.suggestion import Course

NUMBERS = ("loss", "lr", "lr_text_encoder", "vram_gb", "images_per_s")
"""Numbers of a `step` event that are kept for every step."""

_MOST_TEXTS = 50


@dataclass(slots=True)
class Series:
    """A number over the steps, which rise."""

    steps: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, step: float, value: float) -> None:
        """Add the value of a step later than all before; an earlier one is done anew, and what followed goes."""
        if self.steps and step <= self.steps[-1]:
            self.drop_after(step - 1)
        self.steps.append(step)
        self.values.append(value)

    def drop_after(self, step: float) -> None:
        """Forget the steps after `step`: a resume does them anew."""
        keep = bisect_right(self.steps, step)
        del self.steps[keep:], self.values[keep:]


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview that was drawn; `path` is relative to the run's folder."""

    step: int
    path: str
    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """That the run went on: from which step, when, and which settings were changed (old and new value)."""

    step: int
    t: float
    changed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ending:
    """How the trainer said that it ended."""

    exit_code: int
    text: str
    outputs: tuple[str, ...]


@dataclass(slots=True)
class Story:
    """Everything that the report tells of a run besides its settings and pictures.

    Attributes:
        began, t: time of the first and of the last event, seconds since the epoch; 0 where there is none.
        seconds: how long it trained, over all its attempts, without saves, previews and pauses.
        saved: bytes of each model that was written, by its path.
        course: what was measured and saved, of which one model is suggested.
        uploads: what was uploaded, in words.
        followed: what was done after the end, in words.
        warnings: their texts, each once; `num_warnings` counts them all.
    """

    run: str = ""
    began: float = 0.0
    t: float = 0.0
    phase: str = ""
    step: int = 0
    epoch: int | None = None
    total_steps: int | None = None
    seconds: float = 0.0
    series: dict[str, Series] = field(default_factory=lambda: {name: Series() for name in NUMBERS})
    gpu_temp: float | None = None
    previews: list[Preview] = field(default_factory=list)
    resumed: list[Resumed] = field(default_factory=list)
    saved: dict[str, float] = field(default_factory=dict)
    course: Course = field(default_factory=Course)
    checkpoints: int = 0
    uploads: list[str] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    num_warnings: int = 0
    ending: Ending | None = None
    last_mono: float | None = None


def fold(events: Iterable[Event], story: Story | None = None) -> Story:
    """Apply events to `story` (a new one if not given) and return it; unknown kinds do nothing."""
    story = Story() if story is None else story
    for event in events:
        t = number_in(event, "t") or 0.0
        story.began, story.t = story.began or t, t or story.t
        story.course.see(event)
        if change := _CHANGES.get(str(event.get("kind"))):
            change(story, event)
    return story


def _on_format(story: Story, event: Event) -> None:
    story.run = text_in(event, "run")


def _on_phase(story: Story, event: Event) -> None:
    story.phase, story.last_mono = text_in(event, "name"), None
    if story.phase == "train":
        story.total_steps = count_in(event, "total") or story.total_steps
        story.last_mono = number_in(event, "mono")
    if story.phase == "load":  # the beginning of an attempt
        story.ending = None
        story.uploads, story.followed = [], []


def _on_step(story: Story, event: Event) -> None:
    story.step, story.epoch = count_in(event, "step"), count_in(event, "epoch") or story.epoch
    for name, series in story.series.items():
        if (value := number_in(event, name)) is not None:
            series.add(story.step, value)
    temperature = number_in(event, "gpu_temp")
    if temperature is not None:
        story.gpu_temp = max(temperature, story.gpu_temp or temperature)
    mono = number_in(event, "mono")
    if mono is not None and story.last_mono is not None and mono > story.last_mono:
        story.seconds += mono - story.last_mono
    story.last_mono = mono


def _on_sample(story: Story, event: Event) -> None:
    seed = count_in(event, "seed")
    story.previews.append(Preview(count_in(event, "step"), text_in(event, "path"), text_in(event, "prompt"), seed))


def _on_saved(story: Story, event: Event) -> None:
    if path := text_in(event, "path"):
        story.saved[path] = number_in(event, "bytes") or 0.0


def _on_checkpoint(story: Story, event: Event) -> None:
    story.checkpoints += 1


def _on_resumed(story: Story, event: Event) -> None:
    step, changed = count_in(event, "from_step"), event.get("changed")
    story.step = step
    for series in story.series.values():
        series.drop_after(step)
    story.previews = [each for each in story.previews if each.step <= step]
    story.resumed.append(Resumed(step, number_in(event, "t") or 0.0, changed if isinstance(changed, dict) else {}))


def _on_uploaded(story: Story, event: Event) -> None:
    where = text_in(event, "url")
    how = "" if event.get("verified", True) is True else ", not verified"
    story.uploads.append(f"{where or 'by the upload command'}{how}")


def _on_warning(story: Story, event: Event) -> None:
    story.num_warnings += 1
    text = text_in(event, "text") or text_in(event, "code")
    if text and text not in story.warnings and len(story.warnings) < _MOST_TEXTS:
        story.warnings.append(text)


def _on_hook(story: Story, event: Event) -> None:
    if len(story.followed) < _MOST_TEXTS:
        story.followed.append(text_in(event, "text"))


def _on_ending(story: Story, event: Event) -> None:
    outputs = event.get("outputs")
    paths = tuple(str(path)[:LONGEST_TEXT] for path in outputs) if isinstance(outputs, list) else ()
    code = event.get("exit_code")
    code = code if isinstance(code, int) else int(event.get("kind") == "failed")
    story.ending = Ending(code, text_in(event, "text", 10 * LONGEST_TEXT), paths)


_CHANGES: dict[str, Callable[[Story, Event], None]] = {
    "format": _on_format,
    "phase": _on_phase,
    "step": _on_step,
    "sample": _on_sample,
    "saved": _on_saved,
    "checkpoint": _on_checkpoint,
    "resumed": _on_resumed,
    "uploaded": _on_uploaded,
    "warning": _on_warning,
    "hook": _on_hook,
    "finished": _on_ending,
    "failed": _on_ending,
}
