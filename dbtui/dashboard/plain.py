"""A run told in plain lines, for pipes, logs and terminals that can do no more."""

from collections.abc import Iterable

from dbtui.dashboard.state import Ending, Event, RunState, fold
from dbtui.dashboard.words import PHASES, clock, duration, epoch_text, eta_words, loss_text, rate_text
from trainer_core.errors import ExitCode
from trainer_core.text import safe_text

_TOLD = {"sample", "checkpoint", "saved", "validation", "uploaded", "warning", "control_ack", "resumed"}


class PlainLines:
    """Turns events into lines: each phase, save, preview and warning, and a step every `interval` seconds.

    `tells_end`: also how the trainer said that it ended.
    """

    def __init__(self, interval: float = 10.0, *, tells_end: bool = False) -> None:
        self.state = RunState()
        self._interval = interval
        self._tells_end = tells_end
        self._told = float("-inf")

    def feed(self, events: Iterable[Event]) -> list[str]:
        """Return the lines for these events, safe to print."""
        lines = []
        for event in events:
            phase_before = self.state.phase
            self.state = fold([event], self.state)
            lines += [
                f"{clock(self.state.t, with_seconds=True)}  {text}" for text in self._tell(event, phase_before)
            ]
        return lines

    def _tell(self, event: Event, phase_before: str) -> list[str]:
        kind, state = str(event.get("kind")), self.state  # of a damaged event it may be anything
        if kind == "phase" and state.phase == "train" and state.step:
            return []  # back from a preview or a save
        if kind == "phase" and state.phase != phase_before:
            self._told = float("-inf") if state.phase == "train" else _mono(event)
            total = f" ({state.total})" if state.total and state.phase != "train" else ""
            return [PHASES.get(state.phase, safe_text(state.phase)) + total]
        if kind == "step" and (self._is_time(event) or state.step == state.total_steps):
            return [_step_line(state)]
        if kind == "progress" and self._is_time(event):
            total = f"/{state.total}" if state.total else ""
            return [f"{PHASES.get(state.phase, safe_text(state.phase))}: {state.done}{total}"]
        if kind in {"finished", "failed"} and state.ending and self._tells_end:
            return _ending_lines(state.ending)
        if kind in _TOLD and state.news:
            warning = "warning: " if kind == "warning" else ""
            path = f"  {safe_text(event['path'])}" if isinstance(event.get("path"), str) else ""
            return [warning + safe_text(state.news[-1].text) + path]
        return []

    def _is_time(self, event: Event) -> bool:
        now = _mono(event)
        if 0 <= now - self._told < self._interval:
            return False
        self._told = now
        return True


def _ending_lines(ending: Ending) -> list[str]:
    words = {int(ExitCode.DONE): "done", int(ExitCode.STOPPED): "stopped"}
    said = words.get(ending.exit_code, f"failed (exit code {ending.exit_code})")
    return [f"{said}: {safe_text(line)}" for line in ending.text.split("\n")]


def _mono(event: Event) -> float:
    mono = event.get("mono")
    return float(mono) if isinstance(mono, int | float) else 0.0


def _step_line(state: RunState) -> str:
    total = (
        f"/{state.total_steps} ({state.fraction:.0%})" if state.total_steps and state.fraction is not None else ""
    )
    parts = [f"step {state.step}{total}", epoch_text(state), f"loss {loss_text(state.loss)}"]
    parts.append(f"smooth {loss_text(state.smooth_loss)}" if state.smooth_loss is not None else "")
    parts.append(f"lr {rate_text(state.lr)}" if state.lr is not None else "")
    parts.append(f"{state.images_per_s:.2f} images/s" if state.images_per_s is not None else "")
    parts.append(f"VRAM {state.vram_gb:.1f} GB" if state.vram_gb is not None else "")
    parts.append(eta_words(state))
    return "  ".join(part for part in parts if part)


def waiting_line(silence: float, why: str) -> str:
    """Say that nothing has been heard for long, and what is known of it."""
    return f"stalled: no news from the trainer for {duration(silence)}" + (f" ({why})" if why else "")
