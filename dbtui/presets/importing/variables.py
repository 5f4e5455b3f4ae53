"""The variables of a pasted script: what is set above the command is put in its place, and nothing is run."""

import ast
import re
from dataclasses import dataclass, field

from dbtui.presets.importing.statements import Part, Statement, Word

_PYTHON = re.compile(r"(?:\$(?:env:)?)?([A-Za-z_]\w*)(?:\s+(\+?)=\s*|(\+?)=\s+)(?=[^=\s])", re.IGNORECASE)
_SHELL = re.compile(r"(?:\$(?:env:)?)?([A-Za-z_]\w*)(\+?)=")
_COMMANDS = ("export", "set", "local", "declare", "readonly", "setx")
_USE = re.compile(
    r"\$\((?P<command>[^)]*)\)|\$\{(?P<braced>[A-Za-z_]\w*)(?:\[@\]|:-(?P<default>[^}]*))?\}"
    r"|\$(?:env:)?(?P<plain>[A-Za-z_]\w*)(?:\[@\])?|\{(?P<notebook>[A-Za-z_]\w*)\}|%(?P<batch>[A-Za-z_]\w*)%"
)
_LONGEST = 16 * 1024
"""Characters of a word: a variable that holds itself many times over is no path."""


@dataclass(slots=True)
class Expanded:
    """A word with its variables filled in, and the names of those that the text does not set.

    Attributes:
        is_list: whether it is a shell's array, whose words are words of their own even in quotes.
    """

    text: str = ""
    unknown: list[str] = field(default_factory=list)
    is_list: bool = False


class Variables:
    """What the script has set so far. A value of None is known to be set, but not to what."""

    def __init__(self) -> None:
        self._values: dict[str, str | None] = {}
        self._arrays: set[str] = set()
        self._missing: dict[str, str] = {}

    def take(self, statement: Statement) -> list[Word]:
        """Take the assignments of a statement, a shell's or a notebook's; return the words behind them."""
        if found := _PYTHON.match(statement.text):
            added = found[2] or found[3]
            self._values[found[1]] = None if added else self._python(found[1], statement.text[found.end() :])
            return []
        words = list(statement.words)
        if words[0][0].text.lower() in _COMMANDS:
            del words[0]
        while words and (found := _SHELL.match(words[0][0].text)) and not words[0][0].quote:
            self._values[found[1]] = None if found[2] else self._shell(statement, words[0], found.end())
            if self._is_array(words[0], found.end()):
                self._arrays.add(found[1])
                return []
            del words[0]
        return words

    def _shell(self, statement: Statement, word: Word, at: int) -> str | None:
        if self._is_array(word, at):
            return _listed(statement.text.partition("=(")[2])
        value = [Part(word[0].text[at:], word[0].quote), *word[1:]]
        expanded = self.expand(value)
        is_unknown = any(each.unknown for each in expanded)
        return None if is_unknown else " ".join(each.text for each in expanded)

    @staticmethod
    def _is_array(word: Word, at: int) -> bool:
        return word[0].text[at : at + 1] == "("

    def expand(self, word: Word) -> list[Expanded]:
        """Return the word, or the words, that it means: a variable without quotes may hold several."""
        words, current, is_begun = [], Expanded(), False
        for part in word:
            pieces = [Expanded(part.text)] if part.quote == "'" else list(self._pieces(part))
            for piece in pieces:
                is_split = (part.quote == "" or piece.is_list) and _has_space(piece.text)
                lines = piece.text.split() if is_split else [piece.text]
                for place, line in enumerate(lines):
                    if place:
                        words.append(current)
                        current = Expanded()
                    current.text = (current.text + line)[:_LONGEST]
                current.unknown += piece.unknown
                is_begun = is_begun or bool(piece.text or piece.unknown or part.quote)
        return [*words, current] if is_begun else words

    def _pieces(self, part: Part) -> list[Expanded]:
        pieces, at = [], 0
        for found in _USE.finditer(part.text):
            pieces.append(Expanded(part.text[at : found.start()]))
            pieces.append(self._used(found))
            at = found.end()
        return [*pieces, Expanded(part.text[at:])]

    def _used(self, found: re.Match[str]) -> Expanded:
        if found["command"] is not None:
            return Expanded("", ["$(...)"])
        name = found["braced"] or found["plain"] or found["notebook"] or found["batch"]
        value = self._values.get(name, found["default"])
        needs = f" (which needs {self._missing[name]})" if name in self._missing else ""
        return Expanded("", [name + needs]) if value is None else Expanded(value, [], name in self._arrays)

    def _python(self, name: str, text: str) -> str | None:
        """Return what a simple expression of a notebook means: a text, a number, an f-string, `a if b else c`."""
        try:
            value = self._worth(ast.parse(text.strip().lstrip("$"), mode="eval").body)
        except KeyError as error:
            self._missing[name] = str(error.args[0])
            return None
        except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
            return None
        return value if isinstance(value, str) else str(value)

    def _worth(self, node: ast.expr) -> str | float | bool:
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
            return node.value
        if isinstance(node, ast.Name):
            return self._known(node.id)
        if isinstance(node, ast.JoinedStr):
            return "".join(str(self._worth(piece)) for piece in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._worth(node.value)
        if isinstance(node, ast.IfExp):
            return self._worth(node.body if self._is_true(node.test) else node.orelse)
        raise LookupError

    def _is_true(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            is_equal = str(self._worth(node.left)) == str(self._worth(node.comparators[0]))
            return is_equal is isinstance(node.ops[0], ast.Eq)
        return str(self._worth(node)) not in ("", "False", "0", "None")

    def _known(self, name: str) -> str:
        value = self._values[name]
        if value is None:
            raise KeyError(name)
        return value


def _listed(text: str) -> str:
    """Return the words of a shell's array in one text."""
    return " ".join(text.strip().removesuffix(")").replace('"', "").replace("'", "").split())


def _has_space(text: str) -> bool:
    return any(character.isspace() for character in text)
