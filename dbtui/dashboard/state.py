"""The state of a run, folded from its events. Pure: the same events give the same state, however they come."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dbtui.dashboard.curve import LossCurve
from dbtui.dashboard.pace import Pace
from trainer_core.narrate import uploaded_words, validation_words
from trainer_core.resume.words import resumed_words
from trainer_core.run.event_values import LONGEST_TEXT, count_in, known_count_in, number_in, text_in
from trainer_core.run.event_values import Event as Event
from trainer_core.suggestion import Course

_LONGEST_ENDING = 40_000
"""A failed run tells every problem in one text, a line each."""


@dataclass(frozen=True)
class Preview:
    """A preview that was drawn."""

    step: int
    path: str
    prompt: str
    seed: int | None


@dataclass(frozen=True)
class Written:
    """A model or checkpoint that was written; seconds and bytes as far as known."""

    kind: str
    step: int
    path: str
    seconds: float | None
    bytes: float | None


@dataclass(frozen=True)
class News:
    """One line of what happened, newest last: `kind` is the event's."""

    t: float
    kind: str
    text: str


@dataclass(frozen=True)
class Ack:
    """The trainer's answer to a command."""

    command: str
    ok: bool
    text: str


@dataclass(frozen=True)
class Ending:
    """How the trainer said that it ended."""

    kind: str
    exit_code: int
    text: str
    step: int
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """What was done in all, over every resume, as a checkpoint keeps it."""

    seconds: float
    images: int
    resumes: int


@dataclass
class RunState:
    """Everything that a viewer shows of a run. Numbers that were not told are None."""

    run: str = ""
    version: int = 0
    t: float = 0.0
    """Time of the last event, seconds since the epoch."""
    started: float = 0.0
    """When the run was begun, seconds since the epoch."""
    phase: str = ""
    done: int = 0
    """Progress of a phase other than training."""
    total: int | None = None
    step: int = 0
    total_steps: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    lifetime_steps: int = 0
    """Steps done over all resumes, also those that a resume did anew."""
    loss: float | None = None
    lr: float | None = None
    images_per_s: float | None = None
    grad_norm: float | None = None
    vram_gb: float | None = None
    gpu_load: float | None = None
    gpu_temp: float | None = None
    gpu_power: float | None = None
    curve: LossCurve = field(default_factory=LossCurve)
    pace: Pace = field(default_factory=Pace)
    course: Course = field(default_factory=Course)
    """What was measured and saved, of which one model is suggested."""
    previews: deque[Preview] = field(default_factory=lambda: deque(maxlen=64))
    written: deque[Written] = field(default_factory=lambda: deque(maxlen=64))
    news: deque[News] = field(default_factory=lambda: deque(maxlen=64))
    warnings: int = 0
    acks: dict[str, Ack] = field(default_factory=dict)
    totals: Totals | None = None
    ending: Ending | None = None

    @property
    def is_paused(self) -> bool:
        """Tell whether the trainer waits to be told to go on."""
        return self.phase == "paused"

    @property
    def smooth_loss(self) -> float | None:
        """Smoothed loss at the last step."""
        return self.curve.smooth

    @property
    def fraction(self) -> float | None:
        """Share of the current phase that is done, 0 to 1; None if its length is not known."""
        is_training = self.phase == "train" or self.is_paused
        done, total = (self.step, self.total_steps) if is_training else (self.done, self.total)
        return min(1.0, done / total) if total else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the last step; None while there is nothing to go by."""
        if self.total_steps is None or self.ending:
            return None
        return self.pace.seconds_for(max(0, self.total_steps - self.step))


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Apply events to `state` (a new one if not given) and return it. Kinds that are not known change nothing."""
    state = RunState() if state is None else state
    for event in events:
        if event.get("kind") == "format":
            state = RunState()
        state.t = number_in(event, "t") or state.t
        if isinstance(totals := event.get("totals"), dict):
            state.totals = Totals(
                number_in(totals, "seconds") or 0.0, count_in(totals, "images"), count_in(totals, "resumes")
            )
        state.course.see(event)
        if change := _CHANGES.get(str(event.get("kind"))):
            change(state, event)
    return state


def _on_format(state: RunState, event: Event) -> None:
    state.run, state.version = text_in(event, "run"), count_in(event, "version")
    state.started = number_in(event, "started") or state.t


def _on_phase(state: RunState, event: Event) -> None:
    state.phase, state.done, state.total = text_in(event, "name"), 0, known_count_in(event, "total")
    state.pace.on_phase(state.phase, number_in(event, "mono") or 0.0)
    if state.phase == "train":
        state.total_steps = state.total or state.total_steps
        state.epochs = known_count_in(event, "epochs") or state.epochs
        state.steps_per_epoch = known_count_in(event, "steps_per_epoch") or state.steps_per_epoch
    if state.phase == "load":  # another process, and perhaps another machine, goes on
        state.pace.restart(state.step)
    if state.phase != "done":
        state.ending = None


def _on_progress(state: RunState, event: Event) -> None:
    state.phase = text_in(event, "phase") or state.phase
    state.done, state.total = count_in(event, "done"), known_count_in(event, "total") or state.total


def _on_step(state: RunState, event: Event) -> None:
    state.phase, state.step = "train", count_in(event, "step")
    state.lifetime_steps += 1
    state.epoch = known_count_in(event, "epoch")
    state.loss = number_in(event, "loss")
    for name in ("lr", "images_per_s", "grad_norm", "vram_gb", "gpu_load", "gpu_temp", "gpu_power"):
        setattr(state, name, number_in(event, name))
    state.pace.on_step(state.step, number_in(event, "mono") or 0.0)
    if state.loss is not None:
        state.curve.add(state.step, state.loss)


def _on_sample(state: RunState, event: Event) -> None:
    seed = known_count_in(event, "seed")
    preview = Preview(count_in(event, "step"), text_in(event, "path"), text_in(event, "prompt"), seed)
    state.previews.append(preview)
    text = f"preview at step {preview.step}"
    if not state.news or state.news[-1].text != text:  # several prompts make one line
        _tell(state, "sample", text)


def _on_written(state: RunState, event: Event) -> None:
    kind, step, path = str(event["kind"]), count_in(event, "step"), text_in(event, "path")
    seconds, size = number_in(event, "seconds"), number_in(event, "bytes")
    state.written.append(Written(kind, step, path, seconds, size))
    what = "saved" if kind == "saved" else "checkpoint at"
    cost = ", ".join(part for part in (size_text(size), f"{seconds:.1f} s" if seconds is not None else "") if part)
    _tell(state, kind, f"{what} step {step}" + (f" ({cost})" if cost else ""))


def _on_validation(state: RunState, event: Event) -> None:
    numbers = {name: number_in(event, name) for name in ("loss", "drift")}
    _tell(state, "validation", f"validation at step {count_in(event, 'step')}: {validation_words(numbers)}")


def _on_uploaded(state: RunState, event: Event) -> None:
    _tell(state, "uploaded", uploaded_words(event))


def _on_hook(state: RunState, event: Event) -> None:
    _tell(state, "hook", text_in(event, "text"))


def _on_warning(state: RunState, event: Event) -> None:
    state.warnings += 1
    _tell(state, "warning", text_in(event, "text") or text_in(event, "code"))


def _on_ack(state: RunState, event: Event) -> None:
    ack = Ack(text_in(event, "command"), event.get("ok") is True, text_in(event, "text"))
    state.acks[text_in(event, "id")] = ack
    while len(state.acks) > 64:
        del state.acks[next(iter(state.acks))]
    _tell(state, "control_ack" if ack.ok else "refused", f"{ack.command}: {ack.text}" if ack.text else ack.command)


def _on_resumed(state: RunState, event: Event) -> None:
    step = count_in(event, "from_step")
    state.step, state.loss, state.ending = step, None, None
    state.curve.drop_after(step)
    state.pace.restart(step)
    state.previews = deque((each for each in state.previews if each.step <= step), maxlen=64)
    state.written = deque((each for each in state.written if each.step <= step), maxlen=64)
    _tell(state, "resumed", resumed_words(step, event.get("changed"))[:LONGEST_TEXT])


def _on_ending(state: RunState, event: Event) -> None:
    kind, outputs = str(event["kind"]), event.get("outputs")
    paths = tuple(str(path)[:LONGEST_TEXT] for path in outputs) if isinstance(outputs, list) else ()
    step = known_count_in(event, "step")
    code = known_count_in(event, "exit_code")
    code = code if code is not None else int(kind == "failed")
    state.ending = Ending(
        kind, code, text_in(event, "text", _LONGEST_ENDING), state.step if step is None else step, paths
    )


_CHANGES: dict[str, Callable[[RunState, Event], None]] = {
    "format": _on_format,
    "phase": _on_phase,
    "progress": _on_progress,
    "step": _on_step,
    "sample": _on_sample,
    "checkpoint": _on_written,
    "saved": _on_written,
    "validation": _on_validation,
    "uploaded": _on_uploaded,
    "hook": _on_hook,
    "warning": _on_warning,
    "control_ack": _on_ack,
    "resumed": _on_resumed,
    "finished": _on_ending,
    "failed": _on_ending,
}


def size_text(size: float | None) -> str:
    """Return a size in bytes as people read it ("2.1 GB"); empty if it is not known."""
    if size is None:
        return ""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"


def _tell(state: RunState, kind: str, text: str) -> None:
    state.news.append(News(state.t, kind, text))
