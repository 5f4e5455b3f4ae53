"""What a form says of a setting, in plain words; all of it safe to show."""

from dbtui.forms.form import State
from dbtui.forms.typed import text_of
from trainer_core.config.fields import FieldInfo
from trainer_core.config.words import expected
from trainer_core.text import safe_text

UNSET = "not set"
EMPTY = "empty"
_LONGEST_VALUE = 60


def takes(field: FieldInfo) -> str:
    """Return what the setting takes: `a whole number from 1 to 1024 (pictures)`."""
    unit = f" ({field.unit})" if field.unit else ""
    return f"{expected(field.value)}{unit}"


def shown(value: object, field: FieldInfo, *, with_unit: bool = True) -> str:
    """Return a value for a list: as it is typed, yes or no, `not set`."""
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == "":
        return EMPTY
    text = safe_text(text_of(value), limit=_LONGEST_VALUE)
    return f"{text} {unit_of(value, field)}".rstrip() if with_unit else text


def unit_of(value: object, field: FieldInfo) -> str:
    """Return the unit for `value`: `1 step`, `2 steps`."""
    unit = field.unit
    if value != 1 or not unit.endswith("s"):
        return unit
    return unit[:-2] if unit.endswith("sses") else unit[:-1]


def beneath(state: State) -> str:
    """Return what holds without an answer, and the default where the preset differs from it."""
    field = state.field
    if field.required:
        return "must be given"
    default = shown(field.default, field)
    below = shown(state.below, field)
    return f"default {default}" if below == default else f"preset {below} · default {default}"


def conditions(field: FieldInfo) -> str:
    """Return with what the setting cannot stand together; "" if with everything."""
    return f"instead of {field.about.instead_of}" if field.about.instead_of else ""


def explained(state: State) -> list[str]:
    """Return what there is to know of a setting, most important first, a line each."""
    lines = []
    if state.problem:
        lines.append(f"! {safe_text(state.problem)}")
    if state.unused:
        lines.append(f"- no effect now: {state.unused}")
    lines.append(state.field.help)
    lines.append(" · ".join(part for part in (takes(state.field), conditions(state.field)) if part))
    lines.append(beneath(state))
    return lines
