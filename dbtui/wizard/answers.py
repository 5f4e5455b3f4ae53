"""From a draft to the configuration that it means, or to everything that is wrong with it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbtui.presets.library import find_text
from dbtui.wizard.draft import Draft, Goal, Tables
from dbtui.wizard.subjects.written import written_concepts
from trainer_core.config.bindings import require_bindings
from trainer_core.config.fields import all_fields
from trainer_core.config.layer import Layer, settings_of
from trainer_core.config.merge import failing_condition, lay_over, value_of
from trainer_core.config.prompts_file import with_prompts_of_file
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.errors import UserError

SOURCE = "your answers"
_KEY = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the answers: the words, and the setting that they are about, "" if none."""

    text: str
    key: str = ""


def config_of(draft: Draft) -> Config:
    """Return the complete configuration of a draft; relative paths in it begin at the current folder.

    Raises:
        UserError: anything is wrong or missing, everything at once.
    """
    config = resolved(draft)
    require_bindings(config)
    return with_prompts_of_file(config)


def resolved(draft: Draft) -> Config:
    """Return the configuration as far as it has been answered: what a run needs may still be missing.

    Raises:
        UserError: an answer cannot be used.
    """
    here = Path.cwd()
    return parse_config(
        _preset_text(draft.preset),
        SOURCE,
        folder=here,
        find_preset=find_text,
        over=[Layer(SOURCE, answered_tables(draft), here)],
    )


def preset_values(draft: Draft) -> Config:
    """Return what holds where the person has answered nothing: the preset's values and the defaults."""
    return parse_config(_preset_text(draft.preset), SOURCE, find_preset=find_text)


def answered_tables(draft: Draft) -> Tables:
    """Return the answers that have an effect: those of choices not taken stay in the draft only."""
    tables = _without_gaps(draft.copy().tables)
    merged = lay_over(preset_values(draft).model_dump(by_alias=True), tables)
    unused = [named for named in settings_of(tables) if failing_condition(named.field, merged)]
    for named in unused:
        del named.table[named.field.name]
    _word_concepts(tables, draft.goal, merged)
    return tables


def captions_method(draft: Draft) -> str:
    """Return `method.captions`, what is made of captions: as answered, or as the preset has it."""
    answered = draft.get("method.captions")
    return answered if isinstance(answered, str) else preset_values(draft).method.captions


def problems_of(error: UserError) -> list[Problem]:
    """Return the problems of an error, each with the setting that it names first."""
    return [Problem(text, _key_in(text)) for text in error.problems]


def _key_in(text: str) -> str:
    found = (match[0] for match in _KEY.finditer(text))
    return next((key for key in found if key in all_fields()), "")


def _word_concepts(tables: Tables, goal: Goal, merged: Tables) -> None:
    """Give the concepts the prompts that the goal asks for, in place."""
    if isinstance(concepts := tables.get("concept"), list):
        has_layout = value_of(merged, all_fields()["dataset.train_dir"]) is not None
        captions = value_of(merged, all_fields()["method.captions"])
        written = written_concepts(concepts, goal=goal, captions=captions, has_layout=has_layout)
        tables |= {"concept": written} if written else {}
        if not written:
            del tables["concept"]


def _preset_text(preset: str) -> str:
    return f'schema = 1\nextends = "{preset}"\n' if preset else "schema = 1\n"


def _without_gaps(tables: Tables) -> Tables:
    """Leave out what is empty, in lists of tables too: an empty text is a question that was not answered."""

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: inner for name, each in value.items() if (inner := full(each)) not in (None, "", {})}
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            return [inner for each in value if (inner := full(each))] or None
        return value

    kept: Tables = full(tables)
    return kept
