"""A new run from an earlier one, or from what a model carries: its answers as a draft, over a preset."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from dbtui.presets.differing import differing
from dbtui.presets.library import PresetFile, find, find_text
from dbtui.presets.settings import read_settings
from dbtui.runs.start_model import start_model_of
from dbtui.wizard.answers import preset_values, resolved
from dbtui.wizard.draft import Draft, Goal, Tables
from dbtui.wizard.subjects.written import word_of, written_concepts
from trainer_core.config.reader import read_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.text import is_plain, safe_text

_STEP = "review"
"""Where the draft begins: everything is answered, and each step is one key away."""


def draft_of_run(run: RunDirectory) -> Draft:
    """Return the answers of a run as it was trained last, its resumes included.

    Raises:
        UserError: its configuration cannot be read; each problem names the file.
    """
    return draft_of_file(run.configuration, origin=f"run {run.name}")


def draft_of_file(path: Path, origin: str = "") -> Draft:
    """Return the answers of a run file or a preset.

    Raises:
        UserError: it cannot be read; each problem names the file.
    """
    config = read_config(path, find_preset=find_text)
    return draft_of_config(config, origin or safe_text(path.name))


def draft_of_model(path: Path, runs_dir: Path) -> Draft:
    """Return the answers that a model carries, with its start model if that is found here.

    What was taught is not among them: the draft begins with the first question that is open.

    Raises:
        UserError: it carries none, or none that can be used.
    """
    draft = draft_of_config(read_settings(PresetFile(path.name, path, "model")), f"model {path.name}")
    base = start_model_of(path, None, runs_dir, lambda text: None).base
    if base and is_plain(base):  # else nobody could type or read it
        draft.set("model.base", base)
    draft.step = "subject" if draft.get("model.base") else "model"
    return draft


def draft_of_config(config: Config, origin: str) -> Draft:
    """Return a draft without a name whose configuration is `config`.

    Where the library has the preset, the draft lies over it and holds the differences; where they cannot say what
    the run had (such as no value where the preset has one), or the preset is gone, it holds every setting.

    Raises:
        UserError: no draft can mean this configuration.
    """
    whole = tomllib.loads(dump_config(config, comments=False))
    del whole["schema"]
    for draft in _candidates(config, whole):
        draft.origin = origin
        if _means(draft, config):
            return draft
    text = f"{safe_text(origin)} holds what the questions of a new run cannot say; start it with `dbtui run FILE`"
    raise UserError(text, ExitCode.CONFIG)


def _candidates(config: Config, whole: Tables) -> Iterator[Draft]:
    """Yield what may do, the best first."""
    preset = config.preset.name
    goals = dict.fromkeys((_goal(config), "thing", "dataset"))
    if preset and find(preset):
        below = preset_values(Draft(preset=preset)).model_dump(by_alias=True)
        over = differing(whole, below)
        yield from (_draft(goal, preset, over) for goal in goals)
    yield from (_draft(goal, "", whole) for goal in goals)


def _draft(goal: Goal, preset: str, tables: Tables) -> Draft:
    draft = Draft(goal=goal, preset=preset, tables=tables, step=_STEP).copy()
    for place, concept in enumerate(draft.concepts if "concept" in tables else ()):
        draft.concepts[place] = _as_answered(concept, goal)
    return draft


def _as_answered(concept: Tables, goal: Goal) -> Tables:
    """Return the answers that are written as `concept`: the word of a style is asked for without its "by"."""
    answered = {**concept, "identifier": word_of(str(concept.get("identifier") or ""))}
    return answered if written_concepts([answered], goal=goal, captions="dreambooth") == [concept] else concept


def _goal(config: Config) -> Goal:
    """Guess what was to be learned: a file does not say it."""
    if any((concept.identifier or "").startswith("by ") for concept in config.concept):
        return "style"
    return "thing" if config.method.captions == "dreambooth" else "dataset"


def _means(draft: Draft, config: Config) -> bool:
    """Compare the settings; what [preset] says of them, such as a licence, is no answer, and a model lacks it."""
    try:
        return resolved(draft).model_copy(update={"preset": config.preset}) == config
    except UserError:
        return False
