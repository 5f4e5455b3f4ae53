"""A WD tagger: probabilities of Danbooru's tags from an ONNX file, and the tags above a threshold.

The form is that of SmilingWolf's wd-v1-4 and wd-v3 models: input [N, H, W, 3] float32, BGR, 0 to 255, squared with
white; output one probability for each row of selected_tags.csv.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

GENERAL, CHARACTER = "0", "4"
"""Categories of selected_tags.csv that describe a picture; 9 is its rating."""
_WORD = re.compile(r"[^\W_]{2}")


@dataclass(frozen=True, slots=True)
class _Tag:
    index: int
    text: str
    category: str


class Tagger:
    """A WD tagger in onnxruntime, on the GPU if that build of it can."""

    separator = ", "

    def __init__(self, model: Path, tags: Path, threshold: float, replace_underscores: bool) -> None:
        """Open the model. Raises a UserError: it cannot be used (code MODEL), onnxruntime is missing (CONFIG)."""
        self.threshold = threshold
        rows = _read_tags(tags)
        self.session = _open(model)
        (first, *_), (output, *_) = self.session.get_inputs(), self.session.get_outputs()
        self.input = first.name
        count, height, width, channels = first.shape if len(first.shape) == 4 else (None,) * 4
        if channels != 3 or not isinstance(height, int) or height != width or first.type != "tensor(float)":
            raise _error(model, f"its input is {first.shape}, not [N, H, W, 3]: this is no WD tagger")
        if isinstance(output.shape[-1], int) and output.shape[-1] != len(rows):
            raise _error(
                tags, f"has {len(rows)} tags, but the model gives {output.shape[-1]}; they belong not together"
            )
        self.side = height
        self.at_once = count if isinstance(count, int) else None
        named = [
            _Tag(index, _with_spaces(name) if replace_underscores else name, category)
            for index, (name, category) in enumerate(rows)
        ]
        self.tags = [tag for kind in (GENERAL, CHARACTER) for tag in named if tag.category == kind]

    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """Return each RGB picture's tags, general ones first, then characters, in the order of the tags' file."""
        rows = numpy.stack([self.pixels(picture) for picture in pictures])
        step = self.at_once or len(rows)
        parts = [self._probabilities(rows[start : start + step], step) for start in range(0, len(rows), step)]
        return [
            self.separator.join(tag.text for tag in self.tags if row[tag.index] >= self.threshold)
            for row in numpy.concatenate(parts)
        ]

    def pixels(self, picture: Image.Image) -> Any:
        """Return the picture in the middle of a white square, [side, side, 3] float32, BGR, 0 to 255."""
        longest = max(picture.size)
        square = Image.new("RGB", (longest, longest), "white")
        square.paste(picture, ((longest - picture.width) // 2, (longest - picture.height) // 2))
        resized = square.resize((self.side, self.side), Image.Resampling.BICUBIC)
        return numpy.asarray(resized, dtype=numpy.float32)[:, :, ::-1]

    def _probabilities(self, rows: Any, step: int) -> Any:
        """Return [N, tags]; a model of a fixed batch gets the last rows filled up."""
        missing = step - len(rows)
        filled = (
            numpy.concatenate([rows, numpy.zeros((missing, *rows.shape[1:]), rows.dtype)]) if missing else rows
        )
        return self.session.run(None, {self.input: numpy.ascontiguousarray(filled)})[0][: len(rows)]


def _open(model: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        text = "a WD tagger needs onnxruntime: install it with `pip install 'dbtui[tagger]'`"
        raise UserError(text, ExitCode.CONFIG) from error
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(model), providers=providers)
    except Exception as error:  # onnxruntime has its own family of errors
        reason = safe_text((str(error).splitlines() or [type(error).__name__])[0], limit=300)
        raise _error(model, f"cannot be opened by onnxruntime ({reason})") from error


def _read_tags(path: Path) -> list[tuple[str, str]]:
    """Return name and category of each tag."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["name"], row["category"]) for row in csv.DictReader(file)]
    except OSError as error:
        raise _error(path, f"cannot be read ({error.strerror or error}); it belongs beside the model") from error
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise _error(path, "is no list of tags with the columns name and category") from error
    if not rows or any(not name or not category for name, category in rows):
        raise _error(path, "is no list of tags with the columns name and category")
    return rows


def _with_spaces(name: str) -> str:
    """Write `long_hair` as two words; what has no two letters side by side, such as `^_^`, is a face."""
    return name.replace("_", " ") if _WORD.search(name) else name


def _error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
