"""From what was answered about the subjects to the `[[concept]]` tables that mean it."""

from collections.abc import Iterable

from dbtui.wizard.draft import Goal, Tables
from trainer_core.data.filewords import has_place

_STYLE = "by "


def written_concepts(
    concepts: Iterable[Tables], *, goal: Goal, captions: str, has_layout: bool = False
) -> list[Tables]:
    """Return the concepts as they stand in the run file.

    Args:
        concepts: the answers.
        goal: what is to be learned; the identifier of a style says "by" in front of its word.
        captions: the method, `method.captions`.
        has_layout: whether folders named like "20_sls frog" say what is learned: concepts without a folder of
            their own are then answers to a question that is not asked.
    """
    used = [each for each in concepts if not has_layout or each.get("instance_dir") or each.get("class_dir")]
    return [_written(each, goal, captions) for each in used]


def word_of(identifier: str) -> str:
    """Return the rare word of an identifier, without the "by" that may say that it is a style."""
    identifier = " ".join(identifier.split())
    return identifier[len(_STYLE) :] if identifier.lower().startswith(_STYLE) else identifier


def _written(concept: Tables, goal: Goal, captions: str) -> Tables:
    own = concept.get("instance_prompt")
    if captions == "finetune":
        return _without_prompt(concept) if own and not has_place(own) else concept
    word = word_of(str(concept.get("identifier") or ""))
    return {**concept, "identifier": _STYLE + word} if goal == "style" and word else concept


def _without_prompt(concept: Tables) -> Tables:
    return {name: value for name, value in concept.items() if name != "instance_prompt"}
