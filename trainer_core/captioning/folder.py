"""Captions for every picture of a folder, one file beside each, each written whole or not at all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from trainer_core.captioning.captioner import Captioner
from trainer_core.captioning.pictures import Pictures, Target
from trainer_core.data.captions import CaptionError, read_caption
from trainer_core.data.images import BadPictureError, load_picture, quiet_pillow
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import write_text
from trainer_core.text import safe_text

WhenThere = Literal["keep", "append", "overwrite"]
"""What is done to a caption that exists."""


@dataclass(slots=True)
class Report:
    """What was done.

    Attributes:
        written: caption files with their text.
        kept: caption files that existed and were left as they are.
        empty: pictures about which the model had nothing to say; no file is written for them.
        failed: files that could not be captioned, with the reason.
    """

    written: list[tuple[Path, str]] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def caption_pictures(
    pictures: Pictures,
    open_captioner: Callable[[], Captioner],
    *,
    when_there: WhenThere = "keep",
    prefix: str = "",
    batch_size: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Caption `pictures`; the model is opened only if there is something to do.

    Raises:
        UserError: a caption cannot be written (code DISK); those written before stay.
    """
    report = Report(failed=list(pictures.unreadable))
    wanted = [target for target in pictures.targets if not (target.exists and when_there == "keep")]
    report.kept = [target.caption for target in pictures.targets if target.exists and when_there == "keep"]
    captioner = open_captioner() if wanted else None
    for start in range(0, len(wanted) if captioner else 0, batch_size):
        assert captioner is not None
        loaded = list(_loaded(wanted[start : start + batch_size], report))
        texts = captioner.describe([picture for _, picture in loaded]) if loaded else []
        for (target, _), text in zip(loaded, texts, strict=True):
            if text:
                _write(target, _joined(captioner, prefix, text), when_there, captioner, report)
            else:
                report.empty.append(target.picture)
        progress(min(start + batch_size, len(wanted)), len(wanted))
    return report


def _loaded(targets: Iterable[Target], report: Report) -> Iterable[tuple[Target, Image.Image]]:
    with quiet_pillow():
        for target in targets:
            try:
                yield target, load_picture(target.picture)
            except BadPictureError as error:
                report.failed.append((target.picture, str(error)))


def _joined(captioner: Captioner, prefix: str, text: str) -> str:
    return captioner.separator.join(filter(None, (prefix.strip(), text)))


def _write(target: Target, text: str, when_there: WhenThere, captioner: Captioner, report: Report) -> None:
    if target.exists and when_there == "append":
        try:
            text = _appended(read_caption(target.caption).text, text, captioner.separator)
        except CaptionError as error:
            report.failed.append((target.caption, str(error)))
            return
    try:
        write_text(target.caption, text + "\n")
    except OSError as error:
        problem = f"{safe_text(target.caption)} cannot be written ({safe_text(error)}): free some space or mend it"
        raise UserError(problem, ExitCode.DISK) from error
    report.written.append((target.caption, text))


def _appended(existing: str, text: str, separator: str) -> str:
    """Put behind a caption what it does not say yet, so that appending twice changes nothing more."""
    said = {part.strip().casefold() for part in existing.split(separator.strip())}
    new = [part for part in text.split(separator) if part.strip().casefold() not in said]
    return separator.join(filter(None, (existing, separator.join(new))))
