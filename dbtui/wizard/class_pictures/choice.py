"""Where class pictures come from; the answers of choices that are not taken wait in the draft."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from dbtui.wizard.draft import Draft, Tables
from dbtui.wizard.pictures.chosen import is_laid_out
from dbtui.wizard.subjects.several import concepts_of
from trainer_core.data.balance import class_key

From = Literal["folder", "generate", "none"]
FROM: tuple[From, ...] = get_args(From)
USUAL_COUNT = 200
"""As many as the field's scripts draw for each class."""

_UNASKED = "unasked"
_CHOICE, _WAITING = "class_pictures.from", "class_pictures.waiting"
_NUMBER, _REG_DIR, _PROMPT = "prior.num_class_images", "dataset.reg_dir", "prior.class_prompt"
_GENERAL = (_NUMBER, _REG_DIR, _PROMPT)
_OF_CONCEPT = ("class_dir", "class_prompt")


@dataclass(frozen=True, slots=True)
class OneClass:
    """A class and the numbers of the concepts that are of it: they share its pictures."""

    name: str
    concepts: tuple[int, ...]


def classes(draft: Draft) -> list[OneClass]:
    """Return the classes whose pictures are asked for; none where folders' names say what is learned.

    Concepts of one class with folders of their own, as a file may have it, stay apart.
    """
    if is_laid_out(draft):
        return []
    groups: dict[tuple[str, str], list[int]] = {}
    concepts = concepts_of(draft)
    for number, concept in enumerate(concepts):
        name = class_key(class_of(concept)) or f"concept {number}"
        folder = str(concept.get("class_dir") or "") or next(
            (where for known, where in groups if known == name), ""
        )
        groups.setdefault((name, folder), []).append(number)
    return [OneClass(class_of(concepts[numbers[0]]), tuple(numbers)) for numbers in groups.values()]


def class_of(concept: Tables) -> str:
    """Return the class of a concept, "" if it was not said."""
    return str(concept.get("class") or concept.get("class_prompt") or "")


def chosen(draft: Draft) -> From | None:
    """Return where they come from, None if that was not answered yet."""
    if draft.get(_NUMBER) is not None:
        return "generate"
    if draft.get(_REG_DIR) or any(concept.get("class_dir") for concept in concepts_of(draft)):
        return "folder"
    kept = draft.aside.get(_CHOICE)
    return kept if kept in FROM else None


def usual(draft: Draft) -> From:
    """Return what most people want for such a goal; an earlier run had what it had.

    Of a class that has no name nothing can be drawn.
    """
    is_named = is_laid_out(draft) or all(class_of(concept) for concept in concepts_of(draft) if concept)
    return "generate" if draft.goal == "thing" and is_named and not draft.origin else "none"


def choose(draft: Draft, choice: From) -> None:
    """Take a choice with the answers that it had; those of the choice before wait until it is taken again."""
    present = chosen(draft)
    draft.aside[_CHOICE] = choice
    if present == choice:
        return
    waiting = _dict_in(draft.aside, _WAITING)
    answers = _take_out(draft)
    waiting[present or _UNASKED] = answers
    if choice == "none":
        return
    back = waiting.get(choice)
    if not isinstance(back, dict):
        back = _first_answers(waiting.get(_UNASKED)) if choice == "generate" else {}
    _put_back(draft, back)


def share_folder(draft: Draft, group: OneClass) -> None:
    """Leave the folder of a class to its first concept: its pictures are counted once."""
    for number in group.concepts[1:]:
        if number < len(draft.concepts):
            draft.concepts[number].pop("class_dir", None)


def _first_answers(before: object) -> Tables:
    """Return what to draw where nothing was answered: the usual number, with the prompts known from before."""
    known = before if isinstance(before, dict) else {}
    general = {**_dict_in(known, "general"), _NUMBER: USUAL_COUNT, _REG_DIR: None}
    concepts = {
        name: {"class_prompt": kept.get("class_prompt")}
        for name, kept in _dict_in(known, "concepts").items()
        if isinstance(kept, dict)
    }
    return {"general": general, "concepts": concepts}


def _take_out(draft: Draft) -> Tables:
    general = {key: draft.get(key) for key in _GENERAL}
    for key, value in general.items():
        if value is not None:
            draft.set(key, None)
    concepts = {
        name: {each: concept.pop(each, None) for each in _OF_CONCEPT}
        for name, concept in _named(draft)
        if any(each in concept for each in _OF_CONCEPT)
    }
    return {"general": general, "concepts": concepts}


def _put_back(draft: Draft, answers: Tables) -> None:
    general, concepts = _dict_in(answers, "general"), _dict_in(answers, "concepts")
    for key in _GENERAL:
        if general.get(key) is not None:
            draft.set(key, general[key])
    for name, concept in _named(draft):
        kept = concepts.get(name)
        if isinstance(kept, dict):
            concept |= {each: kept[each] for each in _OF_CONCEPT if isinstance(kept.get(each), str)}


def _named(draft: Draft) -> list[tuple[str, Tables]]:
    """Return the concepts, each with its name while answers wait: its place may be another one by then."""
    named: dict[str, Tables] = {}
    for concept in draft.tables.get("concept", []):
        name = base = f"{concept.get('identifier', '')} {concept.get('class', '')}"
        while name in named:
            name += f" {base}"
        named[name] = concept
    return list(named.items())


def _dict_in(tables: Tables, name: str) -> dict[str, Any]:
    """Return the dict of that name, made anew where a draft's file has something else there."""
    if not isinstance(tables.get(name), dict):
        tables[name] = {}
    found: dict[str, Any] = tables[name]
    return found
