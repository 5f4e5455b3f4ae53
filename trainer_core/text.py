"""Text that came from outside (files, names, captions, errors of libraries) made safe for a terminal."""

import os
import unicodedata

_NAMED = {"\t": " ", "\n": "⏎", "\r": "⏎"}
_ELLIPSIS = "…"


def safe_text(value: object, limit: int = 500) -> str:
    r"""Return `value` as one line of text that no terminal can act on.

    Control characters (C0, DEL, C1), bidirectional overrides and other invisible format characters, line
    separators and lone surrogates are shown as escapes such as `\x1b`; the result has at most `limit`
    characters. It is plain text: to show it with Rich, wrap it in `rich.text.Text` or `rich.markup.escape`.
    """
    text = os.fsdecode(value) if isinstance(value, bytes | os.PathLike) else str(value)
    shown = "".join(_safe_character(character) for character in text[: limit + 1])
    return shown if len(text) <= limit and len(shown) <= limit else shown[: limit - 1] + _ELLIPSIS


def is_plain(text: str) -> bool:
    """Whether a terminal shows `text` as it is: `safe_text` would change nothing of it."""
    return safe_text(text, len(text) + 1) == text


def _safe_character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode keeps an undecodable byte 0xNN as U+DCNN
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character
