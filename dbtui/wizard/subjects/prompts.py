"""The prompts that will be trained, asked of the trainer's own code, and what to write afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dbtui.wizard.draft import Goal, Tables
from dbtui.wizard.subjects.written import word_of, written_concepts
from trainer_core.config.schema import Concept, Dataset
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.caption_texts import CaptionTexts
from trainer_core.data.filewords import fill_place, has_place, with_identifier
from trainer_core.data.folder_names import join_words
from trainer_core.data.folders import Source, find_sources
from trainer_core.data.trained_words import identifiers_beside, settle_words
from trainer_core.on_disk import is_utf8
from trainer_core.text import safe_text

_WORDS = ("identifier", "class", "instance_prompt", "class_prompt")


@dataclass(frozen=True, slots=True)
class Learned:
    """What one subject teaches the model.

    Attributes:
        prompt: what its pictures without a caption are trained with; "" if nothing was answered.
        caption: a picture's caption, as an example; "" where captions are not looked into.
        becomes: what the picture with that caption is trained with.
        write: what to write to the finished model, as an example; "" where that depends on the captions.
    """

    prompt: str
    caption: str = ""
    becomes: str = ""
    write: str = ""


def learned(concepts: Sequence[Tables], *, goal: Goal, captions: str) -> list[Learned]:
    """Return what each of the concepts teaches; `captions` is the method."""
    method = cast("CaptionMethod", captions)
    written = written_concepts(concepts, goal=goal, captions=captions)
    found = find_sources(Dataset(), [_concept(number, each) for number, each in enumerate(written)], None, method)
    settle_words(found, method)
    subjects = [source for source in found.folders if source.kind == "train"]
    return [_learned(source, subjects, goal, method) for source in subjects]


def learned_of(source: Source, goal: Goal, captions: str = "dreambooth") -> Learned:
    """Return what a folder whose name says it teaches."""
    return _learned(source, [source], goal, cast("CaptionMethod", captions))


def _concept(number: int, words: Tables) -> Concept:
    """Return the concept with a folder that is never looked into."""
    given = {name: text for name in _WORDS if isinstance(text := words.get(name), str) and text.strip()}
    utf8 = {name: text if is_utf8(text) else safe_text(text) for name, text in given.items()}
    return Concept.model_validate({**utf8, "instance_dir": f"subject {number}"})


def _learned(source: Source, subjects: list[Source], goal: Goal, method: CaptionMethod) -> Learned:
    caption = _caption(source, _is_style(source), method)
    becomes = ""
    if caption:
        texts = CaptionTexts(source, identifiers_beside(source, subjects), Dataset(), method)
        becomes = texts.of(Path("picture.png"), [caption], ".txt").text
    return Learned(source.prompt, caption, becomes, _write(source, goal, method))


def _caption(source: Source, is_style: bool, method: CaptionMethod) -> str:
    """Return a caption that shows what is made of captions, where something is."""
    if method == "dreambooth" and not has_place(source.prompt):
        return ""
    if is_style or not source.class_name:
        return "a house by the sea" if is_style else "sitting in the garden"
    return f"{source.class_name}, sitting in the garden"


def _is_style(source: Source) -> bool:
    """Whether "by" and the identifier stand in the prompt."""
    return bool(source.identifier) and f"by {word_of(source.identifier or '')}".lower() in source.prompt.lower()


def _write(source: Source, goal: Goal, method: CaptionMethod) -> str:
    if method == "finetune" or not source.prompt:
        return ""
    word = word_of(source.identifier or "")
    if _is_style(source):
        return f"{source.class_name or 'a castle'} in the snow, by {word}"
    phrase = word if method == "hybrid" else _phrase(source)
    names_it = phrase in (word, source.class_name, join_words(source.identifier, source.class_name))
    return f"a photo of {phrase} in the snow" if names_it and goal != "character" else f"{phrase} in the snow"


def _phrase(source: Source) -> str:
    """Return the part of the prompt that names the subject: identifier and class if they stand there."""
    both = join_words(source.identifier, source.class_name)
    for words in filter(None, (both, source.identifier)):
        if with_identifier(source.prompt, words, "") == source.prompt:  # it is there
            return words
    return fill_place(source.prompt, "")
