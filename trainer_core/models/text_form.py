"""How the texts of a run are read: by which tokenizer, how much of them, and whether short ones are filled up.

A text encoder of CLIP reads 77 tokens: 75 of the text between BOS and EOS. Longer texts are read in parts of 75,
each with a BOS and an EOS of its own, as web UIs and kohya's scripts do.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from trainer_core.models.tokenizer import MAX_LENGTH, ClipTokenizer, clip_tokenizer

PART = MAX_LENGTH - 2
"""Tokens of the text in one part."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """How texts are read.

    Attributes:
        tokenizer: what splits them.
        parts: the parts of 75 tokens that are read of each; what is beyond is cut.
        is_filled: whether short texts are filled to the full length, rather than to the longest among them.
    """

    tokenizer: ClipTokenizer = field(default_factory=clip_tokenizer)
    parts: int = 1
    is_filled: bool = True

    def rows(self, texts: Iterable[str], pad_token: str) -> list["TokenRow"]:
        """Return the token ids of each text, with `pad_token` where it has ended."""
        pad_id = self.tokenizer.words.ids.get(pad_token, self.tokenizer.eos_id)
        return [self._row(ids, pad_id) for ids in self.tokenizer.split(texts)]

    def too_long(self, texts: Iterable[str]) -> list[bool]:
        """Return for each text whether its end is cut."""
        return [len(ids) > self.parts * PART for ids in self.tokenizer.split(texts)]

    def _row(self, ids: list[int], pad_id: int) -> "TokenRow":
        starts = range(0, self.parts * PART, PART)
        parts = [self.tokenizer.framed(ids[at : at + PART], MAX_LENGTH, pad_id=pad_id) for at in starts]
        row = [token for part in parts for token in part]
        return TokenRow(row, len(row) if self.is_filled else min(len(row), len(ids) + 2))


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A text as token ids: 77 for each part, of which the first `used` are needed."""

    ids: list[int]
    used: int
