"""Previews: the start model against the trained one, and how they changed at the same seed."""

from collections.abc import Sequence

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, tag
from trainer_core.report.pictures import Embedder
from trainer_core.report.previews import MOST_ROWS, Chosen, Row, steps_of
from trainer_core.report.story import Preview

PAIR_SIDE = 448
STRIP_SIDE = 224
_MOST_PAIRS = 6


def base_against_trained(rows: Sequence[Row], facts: Facts, embedder: Embedder) -> Html:
    """Return the section that compares what the start model and the trained one drew with the same noise."""
    heading = tag("h2", "Before and after")
    pairs = [(row, row.untrained) for row in rows if row.untrained and row.previews[-1].step > 0]
    if not pairs:
        return tag("section", heading, tag("p", _why_none(rows, facts)))
    figures = []
    for row, first in pairs[:_MOST_PAIRS]:
        if first is not None:
            both = [_figure(each, facts, embedder, PAIR_SIDE) for each in (first, row.previews[-1])]
            figures.append(tag("div", _prompt(row, facts), *both, class_="pair"))
    return tag("section", heading, tag("div", *figures, class_="pairs"))


def over_time(rows: Sequence[Row], facts: Facts, embedder: Embedder, chosen: Chosen) -> Html:
    """Return the section of all previews as a sheet: a row for each prompt and seed, a column for each step."""
    heading = tag("h2", "Previews over time")
    if not rows:
        return tag("section", heading, tag("p", _how_to_get_some(facts)))
    steps = steps_of(rows, chosen)
    header = tag("tr", tag("th", "Prompt", scope="col"), *(_column(step, chosen) for step in steps))
    lines = [
        tag(
            "tr",
            tag("th", _prompt_words(row, facts), scope="row"),
            *(_cell(row.at(step), step == chosen.step, facts, embedder) for step in steps),
        )
        for row in rows[:MOST_ROWS]
    ]
    sheet = tag("table", tag("thead", header), tag("tbody", *lines), class_="drawn")
    note = "A row has the same noise everywhere, so what differs was learned. ✓ marks models that were saved"
    marked = f"{note}, ★ the one suggested." if chosen.step in steps else f"{note}."
    return tag(
        "section",
        heading,
        tag("p", marked, class_="faint"),
        tag("div", sheet, class_="scroll", tabindex="0"),
        *_left_out(rows, steps, embedder),
    )


def _column(step: int, chosen: Chosen) -> Html:
    sign = " ★" if step == chosen.step else " ✓" if step in chosen.saved else ""
    words = f"step {step:,}" if step else "before training"
    return tag("th", f"{words}{sign}", scope="col", class_="suggested" if step == chosen.step else None)


def _cell(preview: Preview | None, is_suggested: bool, facts: Facts, embedder: Embedder) -> Html:
    picture = _figure(preview, facts, embedder, STRIP_SIDE) if preview else Html("")
    return tag("td", picture, class_="suggested" if is_suggested else None)


def _left_out(rows: Sequence[Row], steps: Sequence[int], embedder: Embedder) -> list[Html]:
    columns = len({each.step for row in rows for each in row.previews}) - len(steps)
    told = [
        (columns, "{} more steps in samples/."),
        (len(rows) - MOST_ROWS, "{} more prompts in samples/."),
        (embedder.left_out, "{} pictures were left out, to keep this page small."),
    ]
    return [tag("p", text.format(count), class_="faint") for count, text in told if count > 0]


def _why_none(rows: Sequence[Row], facts: Facts) -> str:
    if not rows:
        return "No preview was drawn, so there is nothing to compare."
    if facts.config is not None and not facts.config.sample.before_training:
        return (
            "The start model drew no preview to compare with. To get one, set sample.before_training = true "
            "in the next run."
        )
    return "There is no preview from before the first step together with a later one."


def _how_to_get_some(facts: Facts) -> str:
    if facts.config is not None and not facts.config.sample.prompts:
        return (
            "None were asked for. To get some, add a [[sample.prompts]] table with a prompt, and set "
            "sample.every_n_steps."
        )
    return "None was drawn."


def _prompt_words(row: Row, facts: Facts) -> str:
    return f"“{facts.places.inside(row.prompt)}”, seed {row.seed}"


def _prompt(row: Row, facts: Facts) -> Html:
    return tag("p", _prompt_words(row, facts))


def _figure(preview: Preview, facts: Facts, embedder: Embedder, side: int) -> Html:
    when = f"step {preview.step:,}" if preview.step else "before training"
    uri = embedder.embed(preview.path, side)
    if uri is None:
        picture = tag("div", "This picture is not there any more, or was left out.", class_="missing")
    else:
        picture = tag("img", src=Html(uri), alt=f"{facts.places.inside(preview.prompt)}, {when}")
    return tag("figure", picture, tag("figcaption", when))
