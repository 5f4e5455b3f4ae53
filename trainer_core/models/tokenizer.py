"""CLIP's byte-pair tokenizer, by default of the merges that ship with the project; nothing is downloaded.

The merges are those of OpenAI's CLIP (49,408 tokens), which Stable Diffusion 1.x and 2.x both use; the families
differ only in the token that fills a short prompt.
"""

import lzma
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS_TOKEN, EOS_TOKEN = "<|startoftext|>", "<|endoftext|>"
BOS_ID, EOS_ID = 49406, 49407
MAX_LENGTH = 77
WORD_END = "</w>"
WORD_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Token ids by token, and the merges in the order in which they apply."""

    ids: dict[str, int]
    merges: list[tuple[str, str]]


class ClipTokenizer:
    """Text to token ids as transformers' CLIPTokenizer does it: Unicode NFC, lower case, byte-level BPE.

    Attributes:
        words: the vocabulary; it holds BOS_TOKEN and EOS_TOKEN.
    """

    def __init__(self, words: Vocabulary) -> None:
        self.words = words

    @property
    def bos_id(self) -> int:
        """The token that begins a text."""
        return self.words.ids[BOS_TOKEN]

    @property
    def eos_id(self) -> int:
        """The token that ends a text."""
        return self.words.ids[EOS_TOKEN]

    def split(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the token ids of each text, however many, without BOS and EOS."""
        return [list(row.ids) for row in self._built.encode_batch(list(texts), add_special_tokens=False)]

    def encode(self, texts: Iterable[str], max_length: int = MAX_LENGTH, *, pad_id: int) -> list[list[int]]:
        """Return each text as `max_length` token ids: BOS, the words (cut if too long), EOS, then `pad_id`."""
        return [self.framed(ids[: max_length - 2], max_length, pad_id=pad_id) for ids in self.split(texts)]

    def framed(self, ids: list[int], length: int, *, pad_id: int) -> list[int]:
        """Return `length` ids: BOS, `ids` (at most `length - 2`), EOS, then `pad_id`."""
        row = [self.bos_id, *ids, self.eos_id]
        return row + [pad_id] * (length - len(row))

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of `text` as the vocabulary spells them."""
        return list(self._built.encode(text, add_special_tokens=False).tokens)

    @cached_property
    def _built(self) -> "Tokenizer":
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

        tokenizer = Tokenizer(
            models.BPE(
                vocab=self.words.ids,
                merges=self.words.merges,
                continuing_subword_prefix="",
                end_of_word_suffix=WORD_END,
                fuse_unk=False,
                unk_token=EOS_TOKEN,
            )
        )
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([BOS_TOKEN, EOS_TOKEN])
        return tokenizer


@lru_cache(maxsize=1)
def clip_tokenizer() -> ClipTokenizer:
    """Return the tokenizer of the vocabulary that ships with the project."""
    return ClipTokenizer(vocabulary())


def encode(texts: Iterable[str], max_length: int = MAX_LENGTH, *, pad_id: int = EOS_ID) -> list[list[int]]:
    """Return each text as `max_length` of CLIP's token ids; see `ClipTokenizer.encode`."""
    return clip_tokenizer().encode(texts, max_length, pad_id=pad_id)


def count_tokens(text: str) -> int:
    """Return the number of CLIP's tokens of `text` without BOS and EOS."""
    return len(split_ids(text))


def split_word(word: str) -> list[str]:
    r"""Return the tokens that `word` becomes, as text; `</w>` ends a word, `\xNN` is part of a character."""
    return [_readable(token) for token in clip_tokenizer().tokens(word)]


def split_ids(word: str) -> list[int]:
    """Return the ids of the tokens that `word` becomes."""
    return clip_tokenizer().split([word])[0]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return CLIP's vocabulary: 256 bytes, the same at the end of a word, one token per merge, BOS and EOS."""
    data = pkgutil.get_data("trainer_core", "assets/clip_merges.txt.xz")
    if data is None:
        raise FileNotFoundError("trainer_core/assets/clip_merges.txt.xz")
    lines = lzma.decompress(data).decode("utf-8").splitlines()
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
    letters = _byte_letters()
    tokens = [*letters, *(letter + WORD_END for letter in letters)]
    tokens += [left + right for left, right in merges]
    tokens += [BOS_TOKEN, EOS_TOKEN]
    return Vocabulary({token: index for index, token in enumerate(tokens)}, merges)


def _readable(token: str) -> str:
    word = token.removesuffix(WORD_END)
    byte_of = {letter: byte for byte, letter in zip(_byte_order(), _byte_letters(), strict=True)}
    return bytes(byte_of[letter] for letter in word).decode("utf-8", "backslashreplace") + token[len(word) :]


def _byte_order() -> list[int]:
    """Return the 256 bytes in the order of CLIP's vocabulary (GPT-2's): the printable ones of Latin-1 first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return printable + [byte for byte in range(256) if byte not in printable]


def _byte_letters() -> list[str]:
    """Return the printable character that stands for each byte of `_byte_order`."""
    unprintable = 256 - (94 + 12 + 82)
    printable = [chr(byte) for byte in _byte_order()[:-unprintable]]
    return printable + [chr(256 + index) for index in range(unprintable)]
