"""The dashboard's picture: a run's state drawn as lines of text for a given size. Pure."""

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.plot import loss_plot
from dbtui.dashboard.state import RunState
from dbtui.dashboard.status import SIGNS, STYLES, Status, status_of
from dbtui.dashboard.words import clock, duration, epoch_text, eta_words, loss_text, phase_words, rate_text
from trainer_core.suggestion import suggest
from trainer_core.text import safe_text

_SIDE = 36
_ROOMY = 60
"""From this width on, the header has room for more than the state."""
_NEWS_INDENT = 8
PLOT_STYLES = {"axis": "dim", "raw": "dim cyan", "smooth": "bold cyan", "mark": "bold magenta"}
_SIGNS = {
    "saved": "✓",
    "uploaded": "✓",
    "checkpoint": "✓",
    "sample": "▪",
    "validation": "◆",
    "warning": "!",
    "control_ack": "→",
    "refused": "✗",
    "resumed": "↻",
}
_COLOURS = {"saved": "green", "warning": "yellow", "refused": "yellow"}


@dataclass(frozen=True)
class Moment:
    """What the viewer knows beyond the events."""

    status: Status | None = None
    """How the run stands; without it, what the events alone tell."""
    silence: float = 0.0
    """Seconds since the last event."""
    note: str = ""
    """What the viewer itself has to say, such as what a key did; shown above the keys."""
    keys: str = ""
    """The keys that work, for the last line."""


def draw(state: RunState, facts: RunFacts, width: int, height: int, moment: Moment | None = None) -> list[Text]:
    """Draw at most `height` lines of at most `width` cells. Useful from 40 x 12, complete from 80 x 24."""
    moment = moment or Moment()
    status = moment.status or status_of(state, lives=True, silence=moment.silence)
    top = [_header(state, facts, width, status, moment.silence), _bar(state, width, status)]
    bottom = _footer(moment, width, with_rule=height >= 18)
    room = height - len(top) - len(bottom)
    news_rows = 0 if room < 3 else 1 if room < 14 else 3 if room < 22 else 6
    news = _news(state, width, news_rows)
    preview = _preview(state, width) if room >= 14 else []
    body = _body(state, facts, width, room - len(news) - len(preview), status)
    padding = [Text()] * (room - len(body) - len(preview) - len(news))
    return [_cut(line, width) for line in (top + body + preview + news + padding + bottom)[:height]]


def _header(state: RunState, facts: RunFacts, width: int, status: Status, silence: float) -> Text:
    words, style = standing_words(state, status, silence, with_step=width >= _ROOMY), STYLES[status]
    right = Text(words, "bold" if status == "running" else style)
    if status != "running" and right.cell_len + 2 <= width:
        right = Text(f"{SIGNS[status]} {words}", style)
    left = Text(safe_text(facts.name, 64), "bold")
    for part in (_where(facts), facts.model, facts.preset):
        if part and left.cell_len + cell_len(part) + right.cell_len + 5 <= width:
            left.append(f" · {safe_text(part, 60)}", "dim")
    return _both_ends(left, right, width)


def _where(facts: RunFacts) -> str:
    """Say which other machine the run lies on, or was fetched from."""
    return f"on {facts.place}" if facts.place else f"from {facts.fetched_from}" if facts.fetched_from else ""


def standing_words(state: RunState, status: Status, silence: float = 0.0, *, with_step: bool = True) -> str:
    """Say how the run stands, and where: "training 26% · ETA 14 min", "stalled at step 7 · no news for 5 min"."""
    at = f" at step {state.step}" if state.step and with_step else ""
    match status:
        case "running":
            return " · ".join(part for part in (phase_words(state), eta_words(state)) if part)
        case "paused":
            return f"paused{at} · for {duration(silence)}"
        case "stalled":
            where = at if state.phase in {"train", "paused"} else f" while {phase_words(state)}"
            return f"stalled{where} · no news for {duration(silence)}"
        case "stopped" | "failed":
            return f"{status} at step {state.ending.step}" if state.ending and with_step else f"{status}{at}"
        case "crashed":
            return f"crashed{at}"
        case "fetched":
            return f"copy of a live run{at}"
        case _:
            return status


def _bar(state: RunState, width: int, status: Status) -> Text:
    is_training = state.phase in {"train", "done", ""} or status not in {"running", "stalled"}
    done, total = (state.step, state.total_steps) if is_training else (state.done, state.total)
    count = f"{done}/{total}" if total else (f"{done}" if done else "")
    fraction = min(1.0, done / total) if total else 0.0
    room = max(4, width - len(count) - 1)
    filled = fraction * room
    style = STYLES[status].removeprefix("bold ")
    bar = Text("━" * int(filled), style)
    if filled - int(filled) >= 0.5:
        bar.append("╸", style)
    bar.append("─" * (room - len(bar)), "bright_black")
    return bar.append(f" {count}")


def _body(state: RunState, facts: RunFacts, width: int, rows: int, status: Status) -> list[Text]:
    """Draw the loss beside the numbers, or above them where it is narrow."""
    side = _numbers(state, facts, status)
    if width < 72:
        numbers = _packed(side, width)[: max(1, rows // 3)]
        return [*_loss(state, width, rows - len(numbers)), *numbers][: max(1, rows)]
    left = _loss(state, width - _SIDE - 2, rows)
    lines = []
    for index in range(min(rows, max(len(left), len(side)))):
        line = left[index] if index < len(left) else Text()
        if index < len(side):
            line = _padded(line, width - _SIDE) + side[index]
        lines.append(_cut(line, width))
    return lines


def _loss(state: RunState, width: int, rows: int) -> list[Text]:
    headline = Text("loss ", "dim").append(loss_text(state.loss), "bold")
    if state.smooth_loss is not None:
        headline.append(f"  (smooth {loss_text(state.smooth_loss)})", "cyan")
    bins = state.curve.bins
    raw = [(float(each.last), each.mean) for each in bins]
    smooth = [(float(each.last), each.smooth) for each in bins]
    marks = [(float(each.step), each.loss) for each in state.course.comparable]
    plot = loss_plot(raw, smooth, width, rows - 1, marks)
    if not plot:
        return [_cut(headline if bins else Text("the loss comes with the first steps", "dim"), width)]
    return [
        _cut(headline, width),
        *(Text.assemble(*((span.text, PLOT_STYLES[span.role]) for span in row)) for row in plot),
    ]


def _numbers(state: RunState, facts: RunFacts, status: Status) -> list[Text]:
    """Return the numbers beside the plot; one that is not there, or is of the past, takes no line."""
    works = status in {"running", "stalled"}
    lines = [Text(epoch_text(state))] if state.epoch is not None else []
    speed = f"{state.images_per_s:.2f} images/s   " if works and state.images_per_s is not None else ""
    if state.lr is not None:
        lines.append(Text(f"{speed}lr {rate_text(state.lr)}"))
    if works and state.vram_gb is not None:
        lines.append(_vram(state.vram_gb, facts.vram_total_gb))
    gpu = ((state.gpu_load, "%"), (state.gpu_temp, "°C"), (state.gpu_power, " W"))
    if works and (parts := [f"{value:.0f}{unit}" for value, unit in gpu if value is not None]):
        lines.append(Text("GPU   " + "  ".join(parts)))
    if state.grad_norm is not None:
        lines.append(Text(f"grad norm {loss_text(state.grad_norm)}"))
    lines += _measured(state)
    if status == "paused" and state.eta_seconds is not None:
        lines.append(Text(f"{duration(state.eta_seconds)} of training are left", "dim"))
    if state.warnings:
        lines.append(Text(f"! {state.warnings} warning" + "s" * (state.warnings > 1), "yellow"))
    return lines


def _measured(state: RunState) -> list[Text]:
    """Say what was measured last, and which save is the best so far."""
    last, found = state.course.last, suggest(state.course)
    if last is None:
        return []
    drift = f"  drift {last.drift:.1%}" if last.drift is not None else ""
    lines = [Text.assemble(("◆", PLOT_STYLES["mark"]), f" validation {loss_text(last.loss)}{drift}")]
    return lines + ([Text(f"best save so far: step {found.step}")] if found and found.is_measured else [])


def _vram(used: float, total: float | None) -> Text:
    if not total:
        return Text(f"VRAM  {used:.1f} GB")
    filled = round(min(1.0, used / total) * 14)
    style = "yellow" if used / total > 0.95 else "cyan"
    return Text.assemble(
        "VRAM  ", ("█" * filled, style), ("░" * (14 - filled), "dim"), f" {used:.1f}/{total:.1f} GB"
    )


def _preview(state: RunState, width: int) -> list[Text]:
    if not state.previews:
        return []
    last = state.previews[-1]
    line = Text("last preview  ", "dim").append(f"step {last.step}  ")
    path = safe_text(last.path)
    room = width - line.cell_len - cell_len(path) - 4
    if room >= 8:
        line.append(f'"{_shortened(safe_text(last.prompt), room)}"  ')
    return [Text(), _cut(line.append(path, "cyan"), width)]


def _news(state: RunState, width: int, rows: int) -> list[Text]:
    """Return the newest news first; a warning is shown whole where there is room."""
    lines: list[Text] = []
    for each in reversed(state.news):
        sign, style = _SIGNS.get(each.kind, "·"), _COLOURS.get(each.kind, "")
        text = safe_text(each.text)
        is_long = each.kind == "warning" and rows > 1 and width >= 40
        parts = textwrap.wrap(text, width - _NEWS_INDENT) if is_long else [text]
        lines.append(Text(f"{clock(each.t)} ", "dim").append(f"{sign} {parts[0] if parts else ''}", style))
        lines += [Text(" " * _NEWS_INDENT + part, style) for part in parts[1:]]
        if len(lines) >= rows:
            break
    lines = lines[:rows]
    return [Text(), *lines] if lines and rows > 1 else lines


def _footer(moment: Moment, width: int, with_rule: bool) -> list[Text]:
    lines = [Text("─" * width, "dim")] if with_rule else []
    if moment.note:
        lines.append(_cut(Text(safe_text(moment.note), "bold yellow"), width))
    if moment.keys:
        lines.append(_cut(Text(moment.keys, "dim"), width))
    return lines


def _packed(parts: list[Text], width: int) -> list[Text]:
    """Put the parts into as few lines as they need."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + part.cell_len + 3 <= width:
            lines[-1] = lines[-1] + Text("   ") + part
        else:
            lines.append(_cut(part, width))
    return lines


def _both_ends(left: Text, right: Text, width: int) -> Text:
    room = width - right.cell_len
    if room < 8:
        return _cut(right, width)
    return _padded(_cut(left, room - 1), room) + right


def _padded(line: Text, width: int) -> Text:
    return line + Text(" " * max(0, width - line.cell_len))


def _cut(line: Text, width: int) -> Text:
    line = line.copy()
    line.truncate(width, overflow="ellipsis")
    return line


def _shortened(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
