"""Contact sheets: the pictures of a dataset as the trainer will see them, with text and bucket, as PNG files."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, PngImagePlugin

from dbtui.cli.scan_sheet import COLUMNS, PICTURE, ROWS, draw_sheet
from trainer_core.config.schema import Config
from trainer_core.data.balance import match_class_items
from trainer_core.data.buckets import fit_picture
from trainer_core.data.dataset import Scan
from trainer_core.data.images import BadPictureError, quiet_pillow
from trainer_core.data.shown import Shown, first_seen
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import exists, is_folder
from trainer_core.plan import training_order, training_steps
from trainer_core.run.atomic import staged
from trainer_core.text import safe_text

_PAGE = COLUMNS * ROWS
_MARK = "dbtui scan --preview"


def check_folder(folder: Path, dataset: Sequence[Path]) -> None:
    """Refuse a folder for sheets that is no folder, or where the sheets would be taken for pictures to train on.

    Raises:
        UserError: it cannot be used (code CONFIG).
    """
    if exists(folder) and not is_folder(folder):
        raise UserError(f"--preview {safe_text(folder)} is a file: name a folder", ExitCode.CONFIG)
    if any(folder.resolve().is_relative_to(inside.resolve()) for inside in dataset):
        text = f"--preview {safe_text(folder)} lies in the dataset, where sheets would be read as pictures: "
        raise UserError(text + "name a folder elsewhere", ExitCode.CONFIG)


def write_sheets(
    scan: Scan, config: Config, folder: Path, workers: int, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write every picture once, as its first step has it, and return the files: sheet-001.png, sheet-002.png, ...

    Sheets that an earlier call wrote are replaced or removed.

    Raises:
        UserError: a file of another origin is in the way (code CONFIG), or `folder` cannot be written (DISK).
    """
    shown = pictures_to_show(scan, config)
    pages = [shown[start : start + _PAGE] for start in range(0, len(shown), _PAGE)]
    targets = [folder / f"sheet-{number:03}.png" for number in range(1, len(pages) + 1)]
    if foreign := [target.name for target in targets if exists(target) and not _is_ours(target)]:
        text = f"{safe_text(folder)} holds {safe_text(', '.join(foreign[:4]))}, which dbtui did not write"
        raise UserError(f"{text}: name another folder with --preview", ExitCode.CONFIG)
    if not pages:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in set(folder.glob("sheet-*.png")) - set(targets):
            if _is_ours(stale):
                stale.unlink()
        with quiet_pillow(), ThreadPoolExecutor(workers) as pool:
            for number, (page, target) in enumerate(zip(pages, targets, strict=True), start=1):
                _save(draw_sheet(list(zip(page, pool.map(_small, page), strict=True)), number, len(pages)), target)
                if progress is not None:
                    progress(min(number * _PAGE, len(shown)), len(shown))
    except OSError as error:
        text = f"{safe_text(folder)} cannot be written ({safe_text(error.strerror or error)})"
        raise UserError(f"{text}: name another folder with --preview", ExitCode.DISK) from error
    return targets


def pictures_to_show(scan: Scan, config: Config) -> list[Shown]:
    """List each item as it is in the first step that has it, in the order of the folders."""
    items = match_class_items(scan)
    fits = tuple(fit_picture(item.picture.size, config.dataset) for item in items)
    order = training_order(config, items, fits)
    return first_seen(config.dataset, items, fits, order, training_steps(config, order)[0])


def _small(shown: Shown) -> Image.Image | str:
    """The picture that the trainer gets, made small; why it cannot be had, if so."""
    try:
        return shown.small(PICTURE)
    except BadPictureError as error:
        return str(error)


def _save(sheet: Image.Image, target: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", _MARK)
    with staged(target) as staging:
        sheet.save(staging, "PNG", pnginfo=about)


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get("Software") == _MARK
    except (OSError, ValueError, SyntaxError):
        return False
