"""The previews of a run: which there are, another one, one less."""

from typing import Any

from dbtui.forms.form import Form
from trainer_core.config.fields import TableInfo, all_tables

ANYTHING = "a photo"
_WHEN = ("every_n_steps", "every_n_epochs", "after_save", "before_training")
_EVERY = 200
"""Steps between previews, if nothing says when."""


def prompts(form: Form) -> list[dict[str, Any]]:
    """Return the `[[sample.prompts]]` tables."""
    listed: list[dict[str, Any]] = form.merged.get("sample", {}).get("prompts") or []
    return listed


def add_preview(form: Form, prompt: str) -> None:
    """Add a preview; the first one is drawn on the way as well, not at the end alone."""
    is_first = not prompts(form)
    form.add(_table(), {"prompt": prompt})
    if is_first and not any(form.state(("sample", name)).value for name in _WHEN):
        form.enter(("sample", _WHEN[0]), str(_EVERY))


def clear_preview(form: Form) -> bool:
    """Remove the only preview, if nothing but its prompt was answered; tell whether it was."""
    there = prompts(form)
    is_bare = len(there) == 1 and there[0].keys() <= {"prompt"}
    if is_bare:
        form.remove(_table(), 0)
    return is_bare or not there


def _table() -> TableInfo:
    return next(table for table in all_tables() if table.key == "sample.prompts")
