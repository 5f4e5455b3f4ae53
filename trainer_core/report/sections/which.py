"""Which of the saved models to take: the one suggested, why, and the numbers of all."""

from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, tag
from trainer_core.report.plot import Line, Plot, draw
from trainer_core.report.previews import Chosen
from trainer_core.report.story import Story
from trainer_core.run.directory import RunDirectory
from trainer_core.suggestion import Measured, suggest, there

_MOST_ROWS = 60


def chosen_of(run: RunDirectory, story: Story) -> Chosen:
    """Return what is known of the saved models."""
    return Chosen(frozenset(story.course.saved), suggest(story.course, there(run)))


def which_checkpoint(run: RunDirectory, story: Story, facts: Facts, chosen: Chosen) -> Html:
    """Return the section; nothing where no model was saved."""
    found = chosen.suggestion
    if found is None:
        return Html("")
    heading = tag("h2", "Which checkpoint?")
    reason = facts.places.outside(found.reason)
    if not found.is_measured:
        return tag("section", heading, tag("p", f"{reason[:1].upper()}{reason[1:]}."))
    name = facts.places.name_of(found.path, run)
    said = tag("p", "Suggested: ", tag("b", tag("code", name)), f" (step {found.step:,}): {reason}.")
    return tag("section", heading, said, _drift(story), _table(run, story, facts, chosen), _how_it_is_measured())


def _drift(story: Story) -> Html:
    points = [(float(each.step), 100 * each.drift) for each in story.course.comparable if each.drift is not None]
    if len(points) < 2:
        return Html("")
    about = "How far the predictions for the class are from the start model's, as a share of them."
    marks = [each.step for each in story.resumed]
    return draw(
        Plot("Drift of the class", [Line("drift", points, "main")], marks, ".3g", "%", from_zero=True, about=about)
    )


def _table(run: RunDirectory, story: Story, facts: Facts, chosen: Chosen) -> Html:
    """Return the numbers of the saved models, of very many the newest."""
    names = ("Step", "Model", "Validation loss", "Drift of the class")
    header = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    saved = story.course.saved
    shown = [each for each in story.course.comparable if each.step in saved or each.step == 0][-_MOST_ROWS:]
    rows = [_row(each, saved.get(each.step, ""), run, facts, is_it=each.step == chosen.step) for each in shown]
    return tag("div", tag("table", header, tag("tbody", *rows)), class_="scroll", tabindex="0")


def _row(measured: Measured, path: str, run: RunDirectory, facts: Facts, *, is_it: bool) -> Html:
    name = facts.places.name_of(path, run) if path else "the start model"
    drift = "" if measured.drift is None else f"{measured.drift:.1%}"
    return tag(
        "tr",
        tag("th", f"{measured.step:,}{' ★' if is_it else ''}", scope="row"),
        tag("td", name),
        tag("td", f"{measured.loss:.4f}", class_="number"),
        tag("td", drift, class_="number"),
        class_="suggested" if is_it else None,
    )


def _how_it_is_measured() -> Html:
    text = (
        "The loss is measured each time on the same pictures with the same noise. A low one on the training's own "
        "pictures can also mean that they were learned by heart: look at the previews below before you decide."
    )
    return tag("p", text, class_="faint")
