"""All known models with what they are, told as they are found."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dbtui.natural import natural
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.models.facts import ModelFacts, facts_of
from dbtui.wizard.models.known import CACHE, KnownModel, Place, models_in, models_in_cache, places
from dbtui.wizard.recent import recent_models
from trainer_core.models.family import family_named
from trainer_core.models.sniff import is_hub_id
from trainer_core.text import safe_text

USED = "used before"
_OTHER_KIND = re.compile(r"this is an? ([\w .-]{3,30}?)(?: alone)?[,;]")


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A known model, what it is, and whether the person used it lately."""

    known: KnownModel
    facts: ModelFacts
    was_used: bool = False

    @property
    def base(self) -> str:
        """Its path or Hub id."""
        return self.known.base

    @property
    def is_usable(self) -> bool:
        """Whether a training can start from it."""
        return self.facts.info is not None

    @property
    def kind(self) -> str:
        """What it is, in two words or three."""
        info = self.facts.info
        if info is None:
            named = _OTHER_KIND.match(self.trouble)
            return named[1] if named else "not for training"
        if info.family is None:
            return "a pickle" if info.format == "ckpt" else "not fetched yet"
        short = family_named(info.family).title.replace("Stable Diffusion", "SD")
        return f"{short}{' v' if info.prediction == 'v' else ''}"

    @property
    def trouble(self) -> str:
        """Why it cannot be trained, in a line, without its path; "" if it can."""
        problem = self.facts.problems[0] if self.facts.problems else ""
        return problem.removeprefix(f"{safe_text(self.base)}: ")


async def known_models(runs_dir: Path) -> AsyncIterator[list[ListedModel]]:
    """Yield the known models again and again, each time with more places looked at: used ones first, then by name.

    What hangs is waited for last; cancelling leaves it behind.
    """
    searches: list[Callable[[], list[ListedModel]]] = [_used, _cached]
    searches += [_Below(below) for below in places(runs_dir)]
    used = await in_thread(recent_models)
    found: dict[str, ListedModel] = {}
    tasks = [asyncio.create_task(in_thread(search)) for search in searches]
    try:
        for done in asyncio.as_completed(tasks):
            for model in await done:
                if model.base not in found or found[model.base].known.owner == USED:
                    found[model.base] = replace(model, was_used=model.base in used)
            yield sorted(found.values(), key=lambda model: _rank(model, used))
    finally:
        for task in tasks:
            task.cancel()


@dataclass(frozen=True)
class _Below:
    """Looks at the places below one root."""

    places: list[Place]

    def __call__(self) -> list[ListedModel]:
        return _with_facts(model for place in self.places for model in models_in(place))


def _used() -> list[ListedModel]:
    named = (KnownModel(base, CACHE if is_hub_id(base) else USED) for base in recent_models())
    return [model for model in _with_facts(named) if model.is_usable]  # it may be gone


def _cached() -> list[ListedModel]:
    return _with_facts(models_in_cache())


def _with_facts(models: Iterable[KnownModel]) -> list[ListedModel]:
    return [ListedModel(model, facts_of(model.base)) for model in models]


def _rank(model: ListedModel, used: list[str]) -> tuple[int, list[tuple[int, str]], str]:
    place = used.index(model.base) if model.base in used else len(used)
    return (place, natural(model.known.name.casefold()), model.base)
