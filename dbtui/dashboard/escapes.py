"""Telling keys from escape sequences, also where a slow line delivers a sequence in pieces. Pure."""

from enum import Enum


class _Within(Enum):
    NOTHING = 0
    START = 1
    """After ESC."""
    CONTROL = 2
    """In a control sequence, which ends with a byte of @ to ~ (ECMA-48)."""
    ONE_MORE = 3
    """After ESC O or ESC N: one more byte belongs to it."""
    STRING = 4
    """In a reply of the terminal (OSC, DCS, APC, PM), which ends with BEL or ESC backslash."""


class EscapeFilter:
    """Takes what a terminal sends and gives the keys that were typed as characters."""

    def __init__(self) -> None:
        self._within = _Within.NOTHING

    def feed(self, typed: str) -> str:
        """Return the characters of `typed` that belong to no escape sequence."""
        return "".join(character for character in typed if self._is_key(character))

    def rest(self) -> None:
        """Nothing more came for a while: an ESC alone was the key, and whatever comes next begins anew."""
        self._within = _Within.NOTHING

    def _is_key(self, character: str) -> bool:
        within = self._within
        if character == "\x1b":
            self._within = _Within.START
            return False
        match within:
            case _Within.NOTHING:
                return True
            case _Within.START:
                following = {"[": _Within.CONTROL, "O": _Within.ONE_MORE, "N": _Within.ONE_MORE}
                self._within = (
                    _Within.STRING if character in "]P_^X" else following.get(character, _Within.NOTHING)
                )
            case _Within.CONTROL if "@" <= character <= "~":
                self._within = _Within.NOTHING
            case _Within.ONE_MORE:
                self._within = _Within.NOTHING
            case _Within.STRING if character == "\x07":
                self._within = _Within.NOTHING
            case _:
                pass
        return False
