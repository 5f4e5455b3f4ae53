"""The whole page, of what is known of a run. Pure but for the previews, which are read and made small."""

import pkgutil

from trainer_core import __version__
from trainer_core.report.facts import Facts
from trainer_core.report.markup import Html, tag
from trainer_core.report.pictures import Embedder
from trainer_core.report.previews import rows_of
from trainer_core.report.sections.dataset import dataset
from trainer_core.report.sections.drawn import base_against_trained, over_time
from trainer_core.report.sections.made_with import machine, settings
from trainer_core.report.sections.numbers import numbers
from trainer_core.report.sections.summary import head, summary
from trainer_core.report.sections.which import chosen_of, which_checkpoint
from trainer_core.report.story import Story
from trainer_core.report.words import State
from trainer_core.run.directory import RunDirectory

_NOTHING_FROM_OUTSIDE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(run: RunDirectory, story: Story, facts: Facts, state: State) -> str:
    """Return the report as one HTML document that needs no script and no network."""
    rows, embedder, chosen = rows_of(story.previews), Embedder(run), chosen_of(run, story)
    body = tag(
        "body",
        tag("header", head(run, story, facts, state)),
        tag(
            "main",
            summary(run, story, facts, state),
            numbers(story, facts),
            which_checkpoint(run, story, facts, chosen),
            base_against_trained(rows, facts, embedder),
            over_time(rows, facts, embedder, chosen),
            dataset(facts),
            settings(facts),
            machine(facts),
        ),
        tag(
            "footer",
            tag("p", f"Made by dbtui {__version__}. This page is complete in itself and can be given away."),
        ),
    )
    meta = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=Html(_NOTHING_FROM_OUTSIDE)),
        tag("title", f"{run.name}: {state}"),
        tag("style", Html(_style())),
    )
    return "<!doctype html>\n" + tag("html", tag("head", *meta), body, lang="en") + "\n"


def _style() -> str:
    data = pkgutil.get_data("trainer_core", "assets/report.css")
    return data.decode("utf-8") if data else ""
