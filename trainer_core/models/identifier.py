"""Is a word a good identifier, or a good class? How CLIP splits it, what it may mean already, and rare words.

The advice is that of the DreamBooth paper (Ruiz et al., 2022): a rare word of at most three letters that is one
token.
"""

from dataclasses import dataclass
from typing import Literal

from trainer_core.models.tokenizer import WORD_END, split_ids, split_word, vocabulary

MAX_LETTERS = 3
Verdict = Literal["good", "usable", "poor"]

# Rare words: first those that the guide's author uses, then more that are no word or well-known abbreviation.
GUIDE_WORDS = "shs sts scs cpc coc cic msm usu ici lvl dii muk ori hru rik koo yos wny"
MORE_WORDS = (
    "hta waj adl omd ulf wbo ucn ccu eet yoh kwa ecr eha aon acu ndi yte ohn vaw pfa tyl fim omf azu aos "
    "nyk fik awg olu yql fgo agp"
)

# Rare words that are tempting and bring something along.
KNOWN_MEANINGS = {
    "sks": "a rifle (the SKS carbine), which finds its way into the pictures",
    "ohwx": "every tutorial's word, which models trained by others may know already",
}

# The merges of CLIP's vocabulary come in the order of their frequency: the tokens below are everyday words.
COMMON_BELOW = 13_000


@dataclass(frozen=True, slots=True)
class WordReport:
    """What CLIP makes of a word.

    Attributes:
        word: the word as given.
        tokens: the tokens that it becomes; `</w>` ends a word.
        ids: their ids.
        verdict: good, usable or poor as an identifier.
        reasons: why, one clause each.
    """

    word: str
    tokens: list[str]
    ids: list[int]
    verdict: Verdict
    reasons: list[str]


def judge(word: str) -> WordReport:
    """Return how CLIP splits `word` and whether it serves as an identifier."""
    tokens, ids = split_word(word), split_ids(word)
    if not tokens:
        return WordReport(word, tokens, ids, "poor", ["there is nothing in it that the text encoder reads"])
    poor, usable = _faults(word.strip(), ids)
    reasons = [*poor, *usable] or ["one rare token of three letters or fewer, as advised"]
    return WordReport(word, tokens, ids, "poor" if poor else "usable" if usable else "good", reasons)


def judge_class(words: str) -> WordReport:
    """Return how CLIP splits the words for a kind of thing, and whether it can be expected to know them.

    Only the vocabulary is asked: what a model connects with a word is seen in its pictures alone.
    """
    tokens, ids = split_word(words), split_ids(words)
    if not any(character.isalnum() for character in words):
        return WordReport(words, tokens, ids, "poor", ["there is no word in it"])
    if reasons := [reason for word in words.lower().split() if (reason := _why_unknown(word))]:
        return WordReport(words, tokens, ids, "usable", reasons)
    is_common = all(index < COMMON_BELOW for index in ids)
    what = "a common word" if len(words.split()) == 1 else "common words"
    return WordReport(words, tokens, ids, "good", [what if is_common else "known to CLIP as a whole"])


def _why_unknown(word: str) -> str:
    tokens, ids = split_word(word), split_ids(word)
    if not all(token.endswith(WORD_END) for token in tokens):
        pieces = " + ".join(token.removesuffix(WORD_END) for token in tokens)
        return f"{word} is unknown to CLIP as one word: it reads {pieces}"
    if len(word) <= MAX_LETTERS and max(ids) >= COMMON_BELOW:
        return f"{word} is rare, and CLIP may connect nothing with it"
    if len(word) < MAX_LETTERS:
        return f"{word} is so short that CLIP may know it as the end of other words only"
    return ""


def _faults(word: str, ids: list[int]) -> tuple[list[str], list[str]]:
    """Return what speaks against the word strongly, and what speaks against it a little."""
    poor, usable = [], []
    plain = word.lower()
    if meaning := KNOWN_MEANINGS.get(plain):
        poor.append(f"it means something already: {meaning}")
    for part in plain.split():
        if _is_common(part):
            poor.append(f"{part} is a common word, whose meaning stands against the new one")
    if any(character.isspace() for character in word):
        poor.append("it is more than one word")
    if len(ids) > 1:
        usable.append(f"it becomes {len(ids)} tokens instead of one")
    if len(word) > MAX_LETTERS:
        usable.append(f"it has {len(word)} letters; three or fewer are advised")
    if word != plain:
        usable.append(f"capital letters make no difference: it is read as {plain}")
    return poor, usable


def _is_common(word: str) -> bool:
    index = vocabulary().ids.get(word + WORD_END, COMMON_BELOW)
    return index < COMMON_BELOW and word not in GUIDE_WORDS.split()


def rare_words(count: int | None = None) -> list[str]:
    """Return rare words of at most three letters that are one token each: the guide's own first."""
    ids = vocabulary().ids
    words = [word for word in f"{GUIDE_WORDS} {MORE_WORDS}".split() if word + WORD_END in ids]
    return words[:count]
