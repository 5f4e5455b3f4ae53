"""What keeps from going on with the answers about the subjects, each with the next action."""

from collections.abc import Iterator, Sequence

from dbtui.wizard.draft import Tables
from dbtui.wizard.subjects.several import WORDS, is_empty
from dbtui.wizard.subjects.verdicts import text_of
from trainer_core.data.filewords import PLACE, has_place
from trainer_core.text import is_plain, safe_text

_NAMED = {"identifier": "identifier", "class": "class", "instance_prompt": "prompt"}


def subject_problems(concepts: Sequence[Tables], captions: str) -> list[tuple[int, str, str]]:
    """Return for each problem the place of the concept, the name of the answer, and the words, safe to show."""
    if captions == "finetune":
        return []
    several = len(concepts) > 1
    return [
        (place, name, f"Subject {place + 1}: {text}" if several else text)
        for place, concept in enumerate(concepts)
        for name, text in _problems(concept, captions, several=several)
    ]


def _problems(concept: Tables, captions: str, *, several: bool) -> Iterator[tuple[str, str]]:
    if is_empty(concept):
        out = ", or take this subject out (f8)" if several else ""
        yield "identifier", f"Give it a name: type a rare word, or press ctrl+r for one{out}"
        return
    for name in WORDS:
        text = text_of(concept, name)
        if not is_plain(text):
            shown = safe_text(text, 60)
            yield name, f'The {_NAMED[name]} "{shown}" holds characters that cannot be seen: type it anew'
    if captions != "hybrid":
        return
    if not text_of(concept, "identifier"):
        yield "identifier", "The identifier is put into every caption: type a rare word, or press ctrl+r for one"
    prompt = text_of(concept, "instance_prompt")
    if prompt and not has_place(prompt):
        yield "instance_prompt", f"The prompt must say where each caption goes: put {PLACE} into it, or empty it"
