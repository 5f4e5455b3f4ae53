"""Caption files: which one belongs to a picture, and its text whatever editor wrote it."""

import codecs
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.data.listing import stem_key

DEFAULT_EXTENSIONS = (".caption", ".txt")

NEW_EXTENSION = ".txt"
"""Of a caption that is written, where no other extension is asked for."""

MAX_BYTES = 64 * 1024
"""A longer file is no caption: 75 tokens of CLIP are some 300 characters."""

_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's: longer ones first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KANA = re.compile("[\u3040-\u30ff]")


class CaptionError(Exception):
    """A caption file that cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Caption:
    """The lines of a caption file that are not empty, and its encoding where that was not UTF-8."""

    lines: tuple[str, ...]
    encoding: str | None = None

    @property
    def text(self) -> str:
        """All lines as one text, "" for an empty file."""
        return " ".join(self.lines)


def extensions_of(caption_extension: str | None) -> tuple[str, ...]:
    """Extensions to look for, in order; a missing dot is added."""
    if caption_extension is None:
        return DEFAULT_EXTENSIONS
    return ("." + caption_extension.removeprefix("."),)


def index_captions(files: list[Path], extensions: tuple[str, ...]) -> dict[str, list[Path]]:
    """Map each stem to its caption files, the one to use first. Extensions match in any case."""
    order = {extension.lower(): position for position, extension in enumerate(extensions)}
    captions: dict[str, list[Path]] = {}
    for file in files:
        if file.suffix.lower() in order:
            captions.setdefault(stem_key(file), []).append(file)
    for candidates in captions.values():
        candidates.sort(key=lambda file: order[file.suffix.lower()])
    return captions


def caption_file(picture: Path, captions: Mapping[str, Sequence[Path]], extensions: Sequence[str]) -> Path:
    """Return the file that is read as the caption of `picture`; if the index has none, the one to write."""
    if existing := captions.get(stem_key(picture)):
        return existing[0]
    return picture.with_name(picture.stem + (NEW_EXTENSION if len(extensions) > 1 else extensions[0]))


def read_caption(path: Path) -> Caption:
    """Read a caption: UTF-8, or what its byte order mark says.

    Raises:
        CaptionError: the file cannot be read, its encoding is not certain, or it is no text.
    """
    text, encoding = _decode(_read_bytes(path))
    if "\0" in text:
        raise CaptionError("contains NUL bytes, so it is no plain text. Save it as UTF-8, or remove it")
    return Caption(tuple(line.strip() for line in text.splitlines() if line.strip()), encoding)


def _read_bytes(path: Path) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise CaptionError("is not a regular file. Remove it")
        if about.st_size > MAX_BYTES:
            raise CaptionError(f"has {about.st_size:,} bytes, too many for a caption (at most {MAX_BYTES:,})")
        return path.read_bytes()
    except OSError as error:
        raise CaptionError(f"cannot be read ({error.strerror or error}). Check its permissions") from None


def _decode(data: bytes) -> tuple[str, str | None]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data, encoding), encoding.upper()
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        raise CaptionError(_guess(data)) from None


def _decode_marked(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise CaptionError(f"begins like {encoding.upper()} but is damaged. Save it as UTF-8") from None


def _guess(data: bytes) -> str:
    """Show what the text probably is; training on a wrong guess would teach wrong words."""
    for encoding, name in (("cp932", "Shift-JIS"), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "cp932" or _KANA.search(text):
            return f'is not UTF-8; it looks like {name}: "{" ".join(text.split())[:60]}". Save it as UTF-8'
    return "is not UTF-8. Save it as UTF-8"
