"""The model that describes pictures: what every kind can do, and how one is opened."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import from_home, is_file, is_folder, why_not_there
from trainer_core.text import safe_text

TAGS_FILE = "selected_tags.csv"
DEFAULT_THRESHOLD = 0.35


class Captioner(Protocol):
    """Describes pictures.

    Attributes:
        separator: what stands between parts of its captions.
    """

    separator: str

    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """Return a caption of each RGB picture."""


def open_captioner(
    model: str,
    *,
    threshold: float | None,
    replace_underscores: bool | None,
    progress: Callable[[str], None],
) -> Captioner:
    """Open a BLIP folder, a WD tagger (folder or .onnx file) or either from the Hub.

    Args:
        model: path or Hub id.
        threshold: least probability of a tag; a tagger's default if None.
        replace_underscores: write tags with spaces; a tagger does if None.
        progress: told in a few words what is fetched.

    Raises:
        UserError: the model cannot be used (code MODEL), a library is missing, or an option is for taggers and
            the model is none (code CONFIG).
    """
    path = _find(model, progress)
    onnx = path / "model.onnx" if is_folder(path) else path
    if is_file(onnx) and onnx.suffix == ".onnx":
        from trainer_core.captioning.tagger import Tagger

        chosen = DEFAULT_THRESHOLD if threshold is None else threshold
        return Tagger(onnx, onnx.with_name(TAGS_FILE), chosen, replace_underscores is not False)
    _check_blip(path)
    given = {"--threshold": threshold, "--replace-underscores": replace_underscores}
    if unused := [name for name, value in given.items() if value is not None]:
        raise UserError(f"{safe_text(path)} writes sentences: {unused[0]} is for taggers", ExitCode.CONFIG)
    from trainer_core.captioning.blip import Blip

    return Blip(path)


def _find(model: str, progress: Callable[[str], None]) -> Path:
    path = from_home(model)
    if is_folder(path) or is_file(path):
        return path
    if not is_hub_id(model):
        raise UserError(f"{safe_text(model)}: {why_not_there(path)}", ExitCode.MODEL)
    from trainer_core.models.hub import fetch_captioner

    return fetch_captioner(model, progress)


def _check_blip(path: Path) -> None:
    """Refuse what is neither kind, and say what it is."""
    wanted = f"a BLIP folder, or a WD tagger (model.onnx with {TAGS_FILE} beside it)"
    if not is_folder(path):
        raise UserError(f"{safe_text(path)}: captions are written by {wanted}", ExitCode.MODEL)
    try:
        kind = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        text = f"{safe_text(path)}: this folder holds no model that writes captions; name {wanted}"
        raise UserError(text, ExitCode.MODEL) from None
    if kind != "blip":
        text = (
            f"{safe_text(path)}: this is a model of the kind {safe_text(kind)}; captions are written by {wanted}"
        )
        raise UserError(text, ExitCode.MODEL)
