"""Everything that the screen says about the present subject, computed from the draft."""

from dataclasses import dataclass

from dbtui.wizard.draft import Draft, Tables
from dbtui.wizard.subjects.prompts import Learned, learned
from dbtui.wizard.subjects.several import concepts_of, is_empty, place_of
from dbtui.wizard.subjects.verdicts import UNSEEN, Said, of_class, of_identifier, split_shown, suggestions, text_of
from dbtui.wizard.subjects.written import word_of
from trainer_core.data.filewords import PLACE, has_place, with_identifier
from trainer_core.text import is_plain, safe_text

MOST_SUGGESTIONS = 6


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be shown.

    Attributes:
        subjects: for each subject its words and the verdict on its identifier.
        place: of the present one.
        identifier, class_name, prompt: verdicts on the answers.
        split: how CLIP splits the identifier, where the verdict does not say it.
        rare: rare words to choose from.
        placeholder: the prompt that is trained where none was given, safe to show.
        sentences: what the model will learn, as pairs of the beginning and the words.
        note: what else there is to know.
    """

    subjects: list[tuple[str, Said]]
    place: int
    identifier: Said
    class_name: Said
    prompt: Said
    split: str
    rare: list[str]
    placeholder: str
    sentences: list[tuple[str, str]]
    note: str


def look(draft: Draft, captions: str) -> Look:
    """Judge the answers; `captions` is the method. The vocabulary is read if it has not been."""
    concepts, place = concepts_of(draft), place_of(draft)
    concept = concepts[place]
    taught = learned(concepts, goal=draft.goal, captions=captions)
    word = word_of(text_of(concept, "identifier"))
    verdicts = [of_identifier(concepts, number) for number in range(len(concepts))]
    without_own = {name: value for name, value in concept.items() if name != "instance_prompt"}
    plain = learned([without_own], goal=draft.goal, captions=captions)[0]
    return Look(
        subjects=[
            ("" if is_empty(each) else teaches.prompt, said)
            for each, teaches, said in zip(concepts, taught, verdicts, strict=True)
        ],
        place=place,
        identifier=verdicts[place],
        class_name=of_class(concepts, place, draft.goal),
        prompt=_on_prompt(concept, captions),
        split="" if verdicts[place].verdict == "good" else split_shown(word),
        rare=suggestions(concepts, place, MOST_SUGGESTIONS),
        placeholder=safe_text(plain.prompt),
        sentences=sentences(taught[place]),
        note=_note(concept, taught[place], captions),
    )


def sentences(taught: Learned) -> list[tuple[str, str]]:
    """Return what a subject teaches and what to write afterwards, in words."""
    if not taught.prompt:
        return []
    lines = [("The model will learn", f'"{taught.prompt}"')]
    if taught.caption:
        lines = [
            ("A picture captioned", f'"{taught.caption}"'),
            ("is trained as", f'"{taught.becomes}"'),
        ]
        if not has_place(taught.prompt):
            lines.append(("one without a caption", f'"{taught.prompt}"'))
    return [*lines, ("and you will write", taught.write)]


def _on_prompt(concept: Tables, captions: str) -> Said:
    prompt = text_of(concept, "instance_prompt")
    if not prompt:
        return Said("", "usually left empty; may be any words")
    if not is_plain(prompt):
        return UNSEEN
    if captions == "hybrid" and not has_place(prompt):
        return Said("poor", f"it must say where each caption goes: put {PLACE} into it")
    word = word_of(text_of(concept, "identifier"))
    if word and with_identifier(prompt, word, "") != prompt:
        return Said("usable", f"{word} does not stand in it, so the word would not be learned")
    if has_place(prompt):
        return Said("good", f"each picture's caption (else its file name) takes the place of {PLACE}")
    return Said("good", f"trained as it stands; {PLACE} in it would stand for each picture's caption")


def _note(concept: Tables, taught: Learned, captions: str) -> str:
    if not taught.prompt:
        return ""
    if not text_of(concept, "identifier") and not text_of(concept, "instance_prompt"):
        name = text_of(concept, "class")
        return f"There is no word for yours alone: every {name} that the model draws will change."
    if captions == "dreambooth" and not taught.caption:
        return "A picture that has a caption of its own is trained with that instead."
    return ""
