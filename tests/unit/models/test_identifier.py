import pytest

from trainer_core.models.identifier import GUIDE_WORDS, MORE_WORDS, judge, judge_class, rare_words
from trainer_core.models.tokenizer import split_ids


def test_every_suggestion_is_one_token_of_three_letters():
    words = rare_words()
    assert words == f"{GUIDE_WORDS} {MORE_WORDS}".split()
    assert len(words) == len(set(words))
    assert all(len(split_ids(word)) == 1 and len(word) <= 3 for word in words)
    assert all(judge(word).verdict == "good" for word in words)


@pytest.mark.parametrize(
    ("word", "verdict", "reason"),
    [
        ("sks", "poor", "rifle"),
        ("dog", "poor", "dog is a common word"),
        ("zwx", "usable", "2 tokens"),
        ("woolly", "usable", "6 letters"),
        ("SHS", "usable", "capital letters"),
        ("shs dog", "poor", "more than one word"),
        ("", "poor", "nothing in it"),
        (" \t", "poor", "nothing in it"),
    ],
)
def test_faults_are_named(word, verdict, reason):
    report = judge(word)
    assert report.verdict == verdict
    assert reason in "; ".join(report.reasons)


@pytest.mark.parametrize(
    ("words", "verdict", "reason"),
    [
        ("frog", "good", "a common word"),
        ("1girl", "good", "a common word"),
        ("old man", "good", "common words"),
        ("french bulldog", "good", "known to CLIP as a whole"),
        ("schnauzer", "usable", "schnauzer is unknown to CLIP as one word: it reads schnau + zer"),
        ("Axolotl, pink", "usable", "ax + o + lot + l"),
        ("sls", "usable", "sls is rare"),
        ("gy", "usable", "the end of other words"),
        ("!!!", "poor", "no word in it"),
        ("", "poor", "no word in it"),
    ],
)
def test_whether_a_class_is_known(words, verdict, reason):
    report = judge_class(words)
    assert report.verdict == verdict
    assert reason in "; ".join(report.reasons)
