"""Which text a picture has before anything is done to it at a step: its prompt, its own words, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Dataset
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.filewords import fill_place, has_place, with_class, with_identifier, words_of_name
from trainer_core.data.folder_names import split_style
from trainer_core.data.folders import Source
from trainer_core.on_disk import is_utf8

_SIDES = {"train": "instance", "class": "class"}


@dataclass(frozen=True, slots=True)
class CaptionText:
    """The text of a picture: one line, or with wildcards one line for each line of its caption.

    Attributes:
        text: the text; "" if the picture has none although the method needs one.
        source: where it came from, as `dataset.Picture.caption_from`.
    """

    text: str
    source: str


class CaptionTexts:
    """Finds the texts of one folder's pictures.

    Attributes:
        reads_captions: whether captions apply to the pictures of this folder at all.
        needs_words: whether a picture without words of its own cannot be trained.
        by_name: whether a picture without a caption file has the words of its name.
    """

    def __init__(
        self, source: Source, identifiers: Sequence[str], dataset: Dataset, method: CaptionMethod
    ) -> None:
        """Prepare for the folder `source`; `identifiers` are those of the subjects that have its class."""
        self.reads_captions = dataset.captions_for in ("both", _SIDES[source.kind])
        by_name = dataset.use_filename_as_caption or has_place(source.prompt)
        self.by_name = self.reads_captions and by_name
        self.needs_words = method == "finetune" or has_place(source.prompt)
        self._source = source
        self._identifiers = identifiers
        self._dataset = dataset
        self._method = method

    def of(self, path: Path, lines: Sequence[str], suffix: str) -> CaptionText:
        """Return the text of the picture `path`.

        Args:
            path: the picture.
            lines: the lines of its caption file that are not empty, none without such a file.
            suffix: the extension of that file.
        """
        words, source = self._own_words(path, lines, suffix)
        prompt = self._source.prompt
        if has_place(prompt):
            texts = [fill_place(prompt, line) for line in words or [""]]
        elif words:
            texts = [self._combined(line) for line in words]
        else:
            texts = [] if self._method == "finetune" else [prompt]
        if self._method == "hybrid":
            texts = [self._with_names(text) for text in texts]
        return CaptionText("\n".join(filter(None, texts)), source if words else self._source.prompt_from)

    def _own_words(self, path: Path, lines: Sequence[str], suffix: str) -> tuple[list[str], str]:
        if lines:
            return (list(lines) if self._dataset.wildcard else [" ".join(lines)]), suffix.lower()
        name = words_of_name(path) if self.by_name and is_utf8(path.name) else ""
        return ([name] if name else []), "filename"

    def _combined(self, words: str) -> str:
        if self._dataset.combine_prompt is None:
            return words
        first, *rest = self._dataset.combine_prompt.split("[PX]")  # so that words never stand for a place
        parts = [part.replace("[P]", self._source.prompt) for part in (first, *rest)]
        return words.join(parts)

    def _with_names(self, text: str) -> str:
        source = self._source
        if source.kind == "class":
            return with_class(text, self._identifiers, source.class_name)
        if source.identifier is None:  # a fault, told where the folders are read
            return text
        token = f"by {source.identifier}" if split_style(source.prompt) else source.identifier
        return with_identifier(text, token, source.class_name)
