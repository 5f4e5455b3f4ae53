"""Loss, learning rate and VRAM over the steps, as plots and as a table."""

from collections.abc import Sequence

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, joined, tag
from trainer_core.report.plot import Line, Plot, Point, draw, smoothed
from trainer_core.report.story import Resumed, Series, Story
from trainer_core.report.words import moment
from trainer_core.suggestion import Course

_ROWS = 25


def numbers(story: Story, facts: Facts) -> Html:
    """Return the section of the plots; a run without steps has a sentence instead."""
    points = {name: _points(series) for name, series in story.series.items()}
    if not points["loss"]:
        return tag("section", tag("h2", "Course"), tag("p", "No step was trained."))
    smooth, marks = smoothed(points["loss"]), [each.step for each in story.resumed]
    plots = [draw(_loss(points["loss"], smooth, marks, story.course)), draw(_rate(points, marks))]
    if points["vram_gb"]:
        plots.append(draw(_memory(points["vram_gb"], marks, facts)))
    else:
        missing = "not measured: there was no NVIDIA GPU, or its driver did not tell"
        plots.append(tag("figure", tag("figcaption", tag("b", "VRAM"), tag("span", missing)), class_="plot"))
    return tag(
        "section",
        tag("h2", "Course"),
        tag("div", *plots, class_="plots"),
        _restarts(story.resumed, facts),
        _table(points, smooth),
    )


def _points(series: Series) -> list[Point]:
    return list(zip(series.steps, series.values, strict=True))


def _loss(raw: Sequence[Point], smooth: Sequence[Point], marks: Sequence[int], course: Course) -> Plot:
    lowest = min(smooth, key=lambda point: point[1])
    about = (
        f"Smoothed over about 50 steps it went from {smooth[0][1]:.3g} to {smooth[-1][1]:.3g}; "
        f"its lowest was {lowest[1]:.3g} at step {lowest[0]:,.0f}. Single steps vary with their noise."
    )
    lines = [Line("each step", raw, "raw"), Line("smoothed", smooth, "main")]
    if measured := [(float(each.step), each.loss) for each in course.comparable]:
        lines.append(Line("validation", measured, "second"))
        about += " The validation is at the same noise each time, and unweighted."
    return Plot("Loss", lines, marks, digits=".3g", about=about)


def _rate(points: dict[str, list[Point]], marks: Sequence[int]) -> Plot:
    lines = [Line("learning rate", points["lr"], "main")]
    if points["lr_text_encoder"]:
        lines.append(Line("text encoder", points["lr_text_encoder"], "second"))
    highest = max((value for _, value in points["lr"]), default=0.0)
    last = points["lr"][-1][1] if points["lr"] else 0.0
    about = f"At most {highest:.3g}, {last:.3g} at the last step."
    return Plot("Learning rate", lines, marks, digits=".2g", from_zero=True, about=about)


def _memory(points: Sequence[Point], marks: Sequence[int], facts: Facts) -> Plot:
    gpu = facts.process.get("gpu")
    total = gpu.get("vram_total_gb") if isinstance(gpu, dict) else None
    of = f" of {total:.1f} GB" if isinstance(total, int | float) else ""
    most = max(value for _, value in points)
    about = f"Reserved by the training: at most {most:.1f} GB{of}."
    return Plot("VRAM", [Line("reserved", points, "main")], marks, ".1f", " GB", from_zero=True, about=about)


def _restarts(resumed: Sequence[Resumed], facts: Facts) -> Html:
    if not resumed:
        return Html("")
    items = []
    for each in resumed:
        changes = [f"{key}: {_change(value)}" for key, value in each.changed.items()]
        changed = f"; changed: {', '.join(changes)}" if changes else ""
        text = f"from step {each.step:,} on, {moment(each.t)}{changed}"
        items.append(tag("li", facts.places.outside(text)))
    return joined(tag("h3", "Resumed"), tag("ul", *items))


def _change(value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return str(value)


def _table(points: dict[str, list[Point]], smooth: Sequence[Point]) -> Html:
    rates, memory, raw = (dict(points[name]) for name in ("lr", "vram_gb", "loss"))
    count = len(smooth)
    places = (
        sorted({round(place * (count - 1) / max(1, _ROWS - 1)) for place in range(_ROWS)}) if count > 1 else [0]
    )
    rows = [
        tag(
            "tr",
            tag("th", f"{smooth[place][0]:,.0f}", scope="row"),
            *(
                tag("td", "" if value is None else f"{value:.4g}", class_="number")
                for step in [smooth[place][0]]
                for value in (raw.get(step), smooth[place][1], rates.get(step), memory.get(step))
            ),
        )
        for place in places
    ]
    names = ("Step", "Loss", "Loss, smoothed", "Learning rate", "VRAM (GB)")
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    body = tag("div", tag("table", header, tag("tbody", *rows)), class_="scroll", tabindex="0")
    return tag("details", tag("summary", "The same as numbers"), body)
