"""A picture's own words in its folder's prompt: `[filewords]`, identifier and class.

As in sd_dreambooth_extension, the words of a picture (its caption, else its name) stand where a prompt says
`[filewords]`. The hybrid method then sees to it that the identifier stands with pictures of the subject, and not
with class pictures.
"""

import re
from collections.abc import Iterable
from pathlib import Path

PLACE = "[filewords]"

_PLACE = re.compile(re.escape(PLACE), re.IGNORECASE)
_DRAWN = re.compile(r"[0-9a-f]{16}-[0-9]{5}")  # see class_images: a name that says nothing of the picture
_LEADING_DIGITS = re.compile(r"^[\s\-_.,()]*\d[\d\s\-_.,()]*")


def has_place(prompt: str | None) -> bool:
    """Tell whether the words of each picture belong into `prompt`."""
    return prompt is not None and _PLACE.search(prompt) is not None


def fill_place(prompt: str, words: str) -> str:
    """Put `words` where `prompt` says so; without words, the commas round the place go as well."""
    return _tidy(_PLACE.sub(lambda _: words, prompt))


def words_of_name(path: Path) -> str:
    """Return a file's name without suffix and leading digits: `a frog` for `012-a frog.jpg`.

    A class picture drawn by the start model has no words in its name.
    """
    if is_drawn(path):
        return ""
    return " ".join(_LEADING_DIGITS.sub("", path.stem).split())


def is_drawn(path: Path) -> bool:
    """Tell whether a picture has the name of one that the start model drew."""
    return _DRAWN.fullmatch(path.stem) is not None


def with_identifier(text: str, identifier: str, class_name: str) -> str:
    """Return the text of a picture of the subject.

    It is left as it is where it holds the identifier; else the identifier takes the place of the class (and of its
    article), or stands in front. `class_name` is empty where it is not known. An identifier that names a style
    ("by sls") takes no place: what is drawn is not what is learned.
    """
    is_style = identifier.lower().startswith("by ")
    if _word(identifier.rpartition(" ")[2] if is_style else identifier).search(text):
        return text
    if class_name and not is_style:
        replaced, count = _word(class_name, article=True).subn(lambda _: identifier, text)
        if count:
            return replaced
    return f"{identifier}, {text}" if text else identifier


def with_class(text: str, identifiers: Iterable[str], class_name: str) -> str:
    """Return the text of a class picture: without the identifiers, with the class.

    An identifier is taken out where the class stands there too, and becomes the class where it does not; then the
    class is put in front if it is missing. Without a class nothing changes.
    """
    if not class_name:
        return text
    is_class = _word(class_name)
    for identifier in identifiers:
        replacement = "" if is_class.search(text) else class_name
        text, count = _word(identifier).subn(replacement.replace("\\", r"\\"), text)
        text = _tidy(text) if count else text
    if is_class.search(text):
        return text
    return f"{class_name}, {text}" if text else class_name


def _word(word: str, *, article: bool = False) -> re.Pattern[str]:
    """Match `word` as whole words, in any case, with the article before it where asked."""
    before = r"(?:\b(?:an?|the)\s+)?" if article else ""
    spaced = r"\s+".join(re.escape(part) for part in word.split())
    return re.compile(rf"{before}(?<!\w){spaced}(?!\w)", re.IGNORECASE)


def _tidy(text: str) -> str:
    """Close the gap that a word taken out left behind."""
    parts = (" ".join(part.split()) for part in text.split(","))
    return ", ".join(part for part in parts if part)
