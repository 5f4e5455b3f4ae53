"""`[filewords]` and what the hybrid method does to a text: the table of the research notes, row by row."""

from pathlib import Path

import pytest

from trainer_core.data.filewords import fill_place, has_place, with_class, with_identifier, words_of_name


@pytest.mark.parametrize(
    ("text", "identifier", "class_name", "expected"),
    [
        ("a photo of SLS on a leaf", "sls", "frog", "a photo of SLS on a leaf"),  # there: left as it is
        ("a photo of a frog on a leaf", "sls", "frog", "a photo of sls on a leaf"),  # class, with article
        ("The Frog and an old frog", "sls", "frog", "sls and an old sls"),
        ("frogs in a froggery", "sls", "frog", "sls, frogs in a froggery"),  # no whole word
        ("on a leaf", "sls", "frog", "sls, on a leaf"),  # neither
        ("", "sls", "frog", "sls"),
        ("a  french\tBulldog asleep", "ohwx", "french bulldog", "ohwx asleep"),
        ("a frog", "sls", "", "sls, a frog"),  # identifier alone
        ("slsx, a frog", "sls", "", "sls, slsx, a frog"),
        ("a dog", "<d>", "dog", "<d>"),
        ("<d> asleep", "<d>", "dog", "<d> asleep"),
        ("a dog", r"\1\g", "dog", r"\1\g"),  # no pattern of re
        ("1girl, standing", "by sls", "1girl", "by sls, 1girl, standing"),  # a style takes no one's place
        ("1girl, art of sls", "by sls", "1girl", "1girl, art of sls"),
    ],
)
def test_pictures_of_the_subject(text, identifier, class_name, expected):
    assert with_identifier(text, identifier, class_name) == expected


@pytest.mark.parametrize(
    ("text", "identifiers", "class_name", "expected"),
    [
        ("sls frog on a leaf", ["sls"], "frog", "frog on a leaf"),  # class there: taken out
        ("a frog, SLS, green", ["sls"], "frog", "a frog, green"),
        ("sls on a leaf", ["sls"], "frog", "frog on a leaf"),  # becomes the class
        ("on a leaf", ["sls"], "frog", "frog, on a leaf"),  # put in front
        ("", ["sls"], "frog", "frog"),
        ("a green Frog", ["sls"], "frog", "a green Frog"),
        ("sls and cpc", ["sls", "cpc"], "frog", "frog and"),
        ("on a leaf", [], "frog", "frog, on a leaf"),  # class alone
        ("sls on a leaf", ["sls"], "", "sls on a leaf"),  # identifier alone: unchanged
    ],
)
def test_class_pictures(text, identifiers, class_name, expected):
    assert with_class(text, identifiers, class_name) == expected


@pytest.mark.parametrize(
    ("prompt", "words", "expected"),
    [
        ("photo of sls, [filewords]", "on a leaf", "photo of sls, on a leaf"),
        ("[FileWords], by sls", "a frog", "a frog, by sls"),
        ("[filewords], by sls", "", "by sls"),
        ("photo of sls, [filewords], 4k", "", "photo of sls, 4k"),
        ("[filewords]", r"a \1 {b|c} [filewords]", r"a \1 {b|c} [filewords]"),
    ],
)
def test_the_place_of_the_words(prompt, words, expected):
    assert has_place(prompt)
    assert fill_place(prompt, words) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("012-a frog.jpg", "a frog"),
        ("00012-0-a frog, green.png", "a frog, green"),
        ("(3) frog.png", "frog"),
        ("2024.05.01 frog.png", "frog"),
        ("frog 12.png", "frog 12"),
        ("-frog.png", "-frog"),
        ("0017.png", ""),
        ("0123456789abcdef-00007.png", ""),  # drawn by the start model
    ],
)
def test_names_without_leading_digits(name, expected):
    assert words_of_name(Path("10_folder") / name) == expected
