"""Which previews make sense: what one will write later, and the class alone, to see what becomes of it."""

from collections.abc import Iterator
from typing import Any

from dbtui.forms.form import Form
from dbtui.wizard.draft import Draft
from dbtui.wizard.subjects.prompts import learned, learned_of
from trainer_core.config.fields import TableInfo, all_tables
from trainer_core.config.schema import Config
from trainer_core.data.folders import Source, find_sources
from trainer_core.data.trained_words import settle_words

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


def next_prompt(draft: Draft, config: Config | None) -> str:
    """Return the prompt of the next preview: one that is not there yet, else the first one again."""
    proposed = list(dict.fromkeys(_proposed(draft, config))) or [ANYTHING]
    present = draft.get("sample.prompts")
    there = [each.get("prompt") for each in present] if isinstance(present, list) else []
    return next((prompt for prompt in proposed if prompt not in there), proposed[0])


def _proposed(draft: Draft, config: Config | None) -> Iterator[str]:
    method = config.method.captions if config else "dreambooth"
    folders = _folders(config) if config and config.dataset.train_dir else []
    named = [] if folders else learned(draft.concepts, goal=draft.goal, captions=method)
    yield from (each.write for each in named if each.write)
    yield from (text for folder in folders if (text := learned_of(folder, draft.goal).write))
    yield from (f"a photo of {name}" for name in _classes(draft, folders) if draft.goal != "style")


def _classes(draft: Draft, folders: list[Source]) -> list[str]:
    if folders:
        return [folder.class_name for folder in folders if folder.class_name]
    return [str(concept["class"]) for concept in draft.concepts if concept.get("class")]


def _folders(config: Config) -> list[Source]:
    """Return the subject's folders by their names alone."""
    found = find_sources(config.dataset, config.concept, None, config.method.captions)
    settle_words(found, config.method.captions)
    return [source for source in found.folders if source.kind == "train"]
