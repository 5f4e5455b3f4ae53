"""The form over a draft, and what of the draft does not go together."""

from dbtui.forms.form import Form
from dbtui.wizard.answers import SOURCE, Problem, preset_values, problems_of, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.steps.order import step_of_key
from trainer_core.config.problems import dotted
from trainer_core.config.schema import Config
from trainer_core.config.words import shown_key
from trainer_core.errors import UserError

_TYPED = "typed"
_STEP = "training"


def form_of(draft: Draft) -> Form:
    """Return the form: answers go into the draft's tables, texts that are no values into its `aside`."""
    typed = draft.aside.get(_TYPED)
    if not isinstance(typed, dict) or not all(isinstance(text, str) for text in typed.values()):
        typed = draft.aside[_TYPED] = {}
    try:
        below = preset_values(draft)
    except UserError:  # told where the preset is chosen, and at the review
        below = Config()
    return Form(draft.tables, typed, below.model_dump(by_alias=True))


def configuration(draft: Draft) -> tuple[Config | None, list[Problem]]:
    """Return what the answers mean, or why they mean nothing, as the reader says it."""
    try:
        return resolved(draft), []
    except UserError as error:
        found = [Problem(problem.text.removeprefix(f"{SOURCE}: "), problem.key) for problem in problems_of(error)]
        return None, found


def invalid_texts(form: Form) -> list[Problem]:
    """Return what was typed and is no value, with the next action."""
    action = "correct it, or take it back with ctrl+r"
    return [Problem(f"{shown_key(path)} {problem}; {action}", dotted(path)) for path, problem in form.invalid()]


def asked_here(problem: Problem) -> bool:
    """Whether the training step is where it is mended."""
    return bool(problem.key) and step_of_key(problem.key).name == _STEP
