"""Which preview comes next: what one will write later, then the class alone, to see what becomes of it."""

from collections.abc import Iterator

from dbtui.wizard.draft import Draft
from dbtui.wizard.subjects.prompts import learned, learned_of
from dbtui.wizard.training.previews import ANYTHING
from trainer_core.config.schema import Config
from trainer_core.data.folders import Source, find_sources
from trainer_core.data.trained_words import settle_words
from trainer_core.errors import UserError


def next_prompt(draft: Draft, config: Config | None) -> str:
    """Return the prompt of the next preview: one that is not there yet, else the first one again."""
    try:
        proposed = list(dict.fromkeys(_proposed(draft, config))) or [ANYTHING]
    except (UserError, ValueError):  # names that are none; told where they are asked
        return ANYTHING
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
