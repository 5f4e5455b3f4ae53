"""A draft in a line: what it is about, where the person was, and when."""

from pathlib import Path

from dbtui.dashboard.words import day_and_time
from dbtui.wizard.draft import Draft
from dbtui.wizard.draft_file import LeftDraft
from dbtui.wizard.steps.order import STEPS, step_named
from trainer_core.text import safe_text

_GOALS = {"thing": "a person or object", "character": "a character", "style": "a style", "dataset": "a dataset"}


def left_words(left: LeftDraft, now: float) -> str:
    """Return what was left: "sls frog · step 4 of 8, pictures · yesterday 14:02"; safe to show."""
    step = step_named(left.draft.step)
    where = f"step {STEPS.index(step) + 1} of {len(STEPS)}, {step.word}"
    return " · ".join((subject_words(left.draft), where, day_and_time(left.changed, now)))


def subject_words(draft: Draft) -> str:
    """Return what the draft is about, by the most telling answer; safe to show."""
    if draft.name:
        return safe_text(draft.name, 40)
    subjects = [_subject(concept) for concept in draft.concepts]
    if named := [subject for subject in subjects if subject]:
        return safe_text(", ".join(named), 40)
    folders = [concept.get("instance_dir") for concept in draft.concepts] + [draft.get("dataset.train_dir")]
    for place in (*folders, draft.get("model.base")):
        if isinstance(place, str) and place:
            return safe_text(Path(place).name or place, 40)
    return _GOALS[draft.goal]


def _subject(concept: dict[str, object]) -> str:
    return " ".join(str(concept[part]) for part in ("identifier", "class") if concept.get(part))
