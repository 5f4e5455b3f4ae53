"""What is to be said of an identifier and a class while they are typed: a sign, a word, the reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dbtui.wizard.draft import Goal, Tables
from dbtui.wizard.subjects.written import word_of
from trainer_core.models.identifier import Verdict, judge, judge_class, rare_words
from trainer_core.text import is_plain, safe_text

_LONGEST = 300
_CLASS_HINT = "frog, man or 1girl; class pictures need it"
SIGNS = {"good": "✓", "usable": "~", "poor": "!"}


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict in words; `verdict` is "" where there is nothing to judge yet, and `words` a hint."""

    verdict: Verdict | Literal[""]
    words: str

    @property
    def line(self) -> str:
        """The sign, the verdict and why, safe to show."""
        words = safe_text(self.words, _LONGEST)
        return f"{self.sign} {self.verdict}: {words}" if self.verdict else words

    @property
    def sign(self) -> str:
        """The verdict as a sign, for where colours are not seen."""
        return SIGNS.get(self.verdict, " ")


UNSEEN = Said("poor", "it holds characters that cannot be seen; type it anew")
_ENDLESS = Said("poor", "no word is that long")
_LONGEST_WORD = 100
"""Characters; the tokenizer takes a minute for a word of 100,000."""


def load_vocabulary() -> None:
    """Read CLIP's vocabulary, which takes some 100 ms the first time; afterwards a word is judged at once."""
    judge("sls")


def of_identifier(concepts: Sequence[Tables], place: int) -> Said:
    """Judge the identifier of the concept at `place`, also beside the other concepts."""
    identifier = word_of(text_of(concepts[place], "identifier"))
    if not identifier:
        return Said("", "a rare word of about three letters, such as these:")
    if unfit := _unfit(identifier):
        return unfit
    report = judge(identifier)
    said = _poor_beside(concepts, place)
    if said:
        return Said("poor", "; ".join([*said, *(report.reasons if report.verdict != "good" else [])]))
    if report.verdict == "good":
        return Said("good", "one rare token of three letters or fewer")
    return Said(report.verdict, "; ".join(report.reasons))


def of_class(concepts: Sequence[Tables], place: int, goal: Goal) -> Said:
    """Judge the class of the concept at `place`."""
    class_name = text_of(concepts[place], "class")
    if not class_name:
        is_style = goal == "style"
        return Said("", f"such as {'1girl or landscape; may be empty' if is_style else _CLASS_HINT}")
    if unfit := _unfit(class_name):
        return unfit
    report = judge_class(class_name)
    if report.verdict == "usable":
        return Said("usable", "; ".join([*report.reasons, "a plainer word helps"]))
    words = "; ".join(report.reasons)
    return Said(report.verdict, f"{words}, the model knows it" if report.verdict == "good" else words)


def split_shown(identifier: str) -> str:
    """Return how CLIP splits a word, in words: `1 token: sls`."""
    if _unfit(identifier):
        return ""
    report = judge(identifier)
    count = len(report.tokens)
    pieces = " + ".join(token.removesuffix("</w>") for token in report.tokens)
    return f"{count} token{'' if count == 1 else 's'}: {pieces}" if count else ""


def suggestions(concepts: Sequence[Tables], place: int, count: int) -> list[str]:
    """Return rare words that no other concept uses as identifier or class."""
    others = [concept for number, concept in enumerate(concepts) if number != place]
    taken = {text_of(each, "identifier").lower() for each in others} | set(_classes(concepts))
    return [word for word in rare_words() if word not in taken][:count]


def text_of(concept: Tables, name: str) -> str:
    """Return an answer of a concept without spaces around it; what is no text was never typed here."""
    answer = concept.get(name)
    return answer.strip() if isinstance(answer, str) else ""


def _unfit(text: str) -> Said | None:
    """Return why a text is not even judged."""
    if not is_plain(text):
        return UNSEEN
    return _ENDLESS if any(len(word) > _LONGEST_WORD for word in text.split()) else None


def _poor_beside(concepts: Sequence[Tables], place: int) -> list[str]:
    """Return what is wrong with an identifier because of the other answers."""
    identifier = word_of(text_of(concepts[place], "identifier")).lower()
    said = []
    if identifier in _classes([concepts[place]]):
        said.append("it is the class as well, so nothing new could be told from it")
    elif identifier in _classes(concepts):
        said.append("it is the class of another subject")
    for number, other in enumerate(concepts):
        if number != place and word_of(text_of(other, "identifier")).lower() == identifier:
            said.append(f"subject {number + 1} has the same word, so both would become one")
    return said


def _classes(concepts: Iterable[Tables]) -> list[str]:
    return [name for each in concepts if (name := text_of(each, "class").lower())]
