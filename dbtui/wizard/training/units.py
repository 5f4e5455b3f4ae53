"""Steps or passes: two settings that say the same in two units, of which one is asked."""

from dbtui.forms.form import Form
from dbtui.wizard.draft import Draft
from dbtui.wizard.training.length import Length
from dbtui.wizard.training.matters import Matter, path_of_key

_PARKED = "other unit"
_PASSES = 10
"""Proposed while it is not known how many steps a pass has."""


def key_in_use(form: Form, matter: Matter) -> str:
    """Return the setting of the two that holds; the first if neither does."""
    first, other = path_of_key(matter.key), path_of_key(matter.or_key)
    by_other = form.state(first).value is None and form.state(other).value is not None
    return matter.or_key if by_other or _is_typed(form, matter.or_key) else matter.key


def change_unit(draft: Draft, form: Form, matter: Matter, to: str, length: Length | None) -> None:
    """Answer with the setting `to` in place of the other one, whose answer is parked until it is wanted again."""
    other = next(key for key in matter.keys if key != to)
    parked = draft.aside.get(_PARKED)
    if not isinstance(parked, dict):
        parked = draft.aside[_PARKED] = {}
    answer = draft.get(other)
    if answer is not None:
        parked[other] = answer
        draft.set(other, None)
    form.typed.pop(other, None)
    value = parked.pop(to, None)
    draft.set(to, _proposed(matter, to, length) if value is None and matter.key == "train.max_steps" else value)


def _proposed(matter: Matter, to: str, length: Length | None) -> int:
    """Return about as much as before, in the other unit."""
    if to == matter.key:
        from trainer_core.plan import DEFAULT_STEPS

        return length.steps if length and length.steps else DEFAULT_STEPS
    if length and length.steps_a_pass:
        return max(1, round(length.steps / length.steps_a_pass))
    return _PASSES


def _is_typed(form: Form, key: str) -> bool:
    return bool(form.state(path_of_key(key)).problem)
