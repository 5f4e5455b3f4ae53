r"""Splits a pasted shell script or notebook cell into statements of words, without running anything.

What people paste is rarely a clean script, so more than a shell allows is read: continuation by `\`, `^` or a
backtick, or simply by a next line that begins with `--`; `!` of a notebook and `$ ` of a prompt in front;
typographic quotes and dashes; `<placeholders with spaces>`; backslashes of Windows paths.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TYPOGRAPHIC = str.maketrans("\u201c\u201d\u201e\u2018\u2019\u00a0", '"""\'\' ', "\r")
_DASHES = re.compile("(?<!\\S)[\u2013\u2014](?=[A-Za-z])")
_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>\n|&;]*>")
_OPTION_FOLLOWS = re.compile(r"\s*--[A-Za-z]")
_PROMPT = re.compile(r"\s*(?:!|%%\w+[^\n]*|[$>%] )\s*")
_ESCAPED = frozenset("\\\"'$` ")


@dataclass(slots=True)
class Part:
    """A piece of a word: its text, and the quotes around it ("" for none), which decide what is expanded."""

    text: str
    quote: str


Word = list[Part]


@dataclass(slots=True)
class Statement:
    """One statement: its words, and its text as it was written."""

    words: list[Word] = field(default_factory=list)
    text: str = ""


def split_statements(text: str) -> list[Statement]:
    """Return the statements of a script, comments left out."""
    text = _DASHES.sub("--", text.translate(_TYPOGRAPHIC))
    return [statement for statement in _Scanner(text).statements() if statement.words]


class _Scanner:
    """Goes over the text once, character by character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: Word | None = None
        self._statement = Statement()

    def statements(self) -> Iterator[Statement]:
        """Yield each statement where it ends."""
        self._skip_prompt()
        start = 0
        while self._at < len(self._text):
            if self._step():
                yield self._ended(start)
                self._skip_prompt()
                start = self._at
        yield self._ended(start)

    def _ended(self, start: int) -> Statement:
        self._end_word()
        done, self._statement = self._statement, Statement()
        done.text = self._text[start : self._at].strip()
        return done

    def _step(self) -> bool:
        """Read on; return whether the statement ends here."""
        character = self._text[self._at]
        self._at += 1
        if character == "\n":
            return self._end_line()
        if character in " \t":
            self._end_word()
        elif character in ";|&":
            return True
        elif character == "#" and self._word is None:
            self._at = self._line_end()
        elif character in "\"'":
            self._quoted(character)
        elif character in "\\^`" and self._text[self._at : self._line_end()].strip() == "":
            self._at = min(self._line_end() + 1, len(self._text))
            self._end_word()
        elif character == "$" and self._text[self._at : self._at + 1] == "(":
            self._skip_command(")")
        elif character == "`":
            self._skip_command("`")
        elif character == "<" and (found := _PLACEHOLDER.match(self._text, self._at - 1)):
            self._add(found[0], "'")
            self._at = found.end()
        elif character in "<>":
            self._skip_redirection()
        elif character == "\\" and self._text[self._at : self._at + 1] in _ESCAPED:
            self._add(self._text[self._at], "'")
            self._at += 1
        else:
            self._add(character, "")
        return False

    def _end_line(self) -> bool:
        """A line ends; the statement goes on where the next one begins with an option."""
        self._end_word()
        return not (self._statement.words and _OPTION_FOLLOWS.match(self._text, self._at))

    def _quoted(self, quote: str) -> None:
        """Read up to the closing quote; without one, to the end of the line."""
        end = self._at
        while end < len(self._text) and self._text[end] != quote:
            end += 2 if quote == '"' and self._text[end : end + 2] in ('\\"', "\\\\") else 1
        if end >= len(self._text):
            end = self._line_end()
        text = self._text[self._at : end]
        self._add(text.replace('\\"', '"').replace("\\\\", "\\") if quote == '"' else text, quote)
        self._at = min(end + 1, len(self._text))

    def _skip_command(self, closing: str) -> None:
        """The output of another command stands here; nothing is run, so it is not known."""
        end = self._text.find(closing, self._at)
        self._at = self._line_end() if end < 0 else end + 1
        self._add("$(...)", "")

    def _skip_redirection(self) -> None:
        """`> log.txt` and `2>&1` say nothing about the training."""
        self._word = None
        while self._text[self._at : self._at + 1] in (">", "<", "&", " ") and self._at < len(self._text):
            self._at += 1
        while self._at < len(self._text) and not self._text[self._at].isspace():
            self._at += 1

    def _skip_prompt(self) -> None:
        while found := _PROMPT.match(self._text, self._at):
            self._at = found.end()

    def _add(self, text: str, quote: str) -> None:
        if self._word is None:
            self._word = []
        if self._word and self._word[-1].quote == quote == "":
            self._word[-1].text += text
        else:
            self._word.append(Part(text, quote))

    def _end_word(self) -> None:
        if self._word is not None:
            self._statement.words.append(self._word)
            self._word = None

    def _line_end(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end
