"""`dbtui scan`: the dataset as the trainer will see it, before it sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_utf8
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.config.schema import Dataset


def scan(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help='Folder that holds folders named "<repeats>_<identifier> <class>".'),
    ],
    reg: Annotated[
        Path | None, typer.Option("--reg", metavar="DIR", help='Class pictures, in folders "<repeats>_<class>".')
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every picture; the verdict is remembered by its content.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    resolution: Annotated[
        str, typer.Option("--resolution", metavar="W,H", help="Width and height of training; one number for both.")
    ] = "512",
    buckets: Annotated[bool, typer.Option("--buckets", help="Sort pictures into buckets of like shape.")] = False,
    caption_extension: Annotated[
        str | None,
        typer.Option("--caption-extension", metavar="EXT", help="Captions' extension; else .caption, then .txt."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads that read pictures.")] = 4,
) -> int:
    """Show the folders, captions, balance and every problem of a dataset. Exit code 3 if there are problems."""
    from dbtui.cli.output import print_json
    from dbtui.cli.progress import picture_progress
    from dbtui.cli.scan_report import print_report, report_data
    from trainer_core.data.scan import scan_dataset

    dataset = _dataset(folder, reg, resolution, buckets, caption_extension)
    with picture_progress() as progress:
        result = scan_dataset(dataset, [], deep=deep, workers=workers, progress=progress)
    if as_json:
        print_json(report_data(result, dataset))
    else:
        print_report(result, dataset)
    return int(ExitCode.DATASET if result.faults or result.bad_images else ExitCode.DONE)


def _dataset(folder: Path, reg: Path | None, resolution: str, buckets: bool, extension: str | None) -> "Dataset":
    from pydantic import ValidationError

    from trainer_core.config.schema import Bucket, Dataset

    named = {"DIR": folder, "--reg": reg}
    if wrong := [f"{option} {safe_text(path)}" for option, path in named.items() if path and not is_utf8(path)]:
        raise UserError(
            [f"{name} is not UTF-8, so no run could name it; rename it" for name in wrong], ExitCode.CONFIG
        )
    sides = resolution.lower().replace("x", ",").split(",")
    try:
        width, height = (int(side) for side in (sides * 2 if len(sides) == 1 else sides))
        size = Dataset(resolution=(width, height)).resolution
    except (ValueError, ValidationError):
        text = "--resolution takes one side or two, such as 512 or 512,768: multiples of 64, from 64 to 4096"
        raise UserError(text, ExitCode.CONFIG) from None
    try:
        return Dataset(
            train_dir=str(folder),
            reg_dir=None if reg is None else str(reg),
            resolution=size,
            caption_extension=extension,
            bucket=Bucket(enable=buckets, min_reso=min(256, *size), max_reso=max(1024, *size)),
        )
    except ValidationError:
        text = "--caption-extension takes letters and digits, such as .txt"
        raise UserError(text, ExitCode.CONFIG) from None
