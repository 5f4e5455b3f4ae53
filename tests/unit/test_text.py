"""What `safe_text` lets through to a terminal: nothing that it could act on."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from trainer_core.text import is_plain, safe_text

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("a photo of sls frog", "a photo of sls frog"),
        ("Grüße, 蛙 🐸", "Grüße, 蛙 🐸"),
        ("tab\there", "tab here"),
        ("two\nlines\r", "two⏎lines⏎"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x00\x7f", r"\x00\x7f"),
        ("\x9b31m \x85", r"\x9b31m \x85"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
        ("", ""),
        (None, "None"),
        (3.5, "3.5"),
    ],
)
def test_what_is_shown(given_text: object, shown: str):
    assert safe_text(given_text) == shown


@pytest.mark.parametrize("text", ["", "sls frog", "蛙 🐸 [b]", "x" * 5000])
def test_what_can_be_shown_as_it_is(text: str):
    assert is_plain(text)


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\u202eb", "a\tb", "two\nlines", "\udcff"])
def test_what_cannot_be_shown_as_it_is(text: str):
    assert not is_plain(text)


def test_undecodable_file_names_are_shown_by_their_bytes(tmp_path: Path):
    name = b"caf\xe9\x1b.png"
    assert safe_text(name) == r"caf\xe9\x1b.png"
    assert safe_text(tmp_path / os.fsdecode(name)).endswith(r"caf\xe9\x1b.png")


def test_errors_are_shown_by_their_text():
    assert safe_text(ValueError("bad\x1b[2J")) == r"bad\x1b[2J"


@pytest.mark.parametrize(("length", "cut"), [(499, False), (500, False), (501, True), (10**6, True)])
def test_long_text_is_cut_at_the_limit(length: int, cut: bool):
    shown = safe_text("x" * length)
    assert len(shown) == min(length, 500)
    assert shown.endswith("…") is cut


def test_escapes_count_towards_the_limit():
    assert len(safe_text("\x1b" * 10, limit=20)) <= 20


def test_markup_is_plain_text_for_rich():
    console = Console(width=80, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(Text(safe_text("[bold red]cat[/] [link=x]y[/link] [@click=app.quit]")))
    assert capture.get() == "[bold red]cat[/] [link=x]y[/link] [@click=app.quit]\n"


@given(st.text(alphabet=st.characters(), max_size=200), st.integers(min_value=1, max_value=120))
def test_nothing_that_acts_gets_through(text: str, limit: int):
    shown = safe_text(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(character) in INVISIBLE for character in shown)
    shown.encode("utf-8")
