"""`dbtui scan`: the dataset as the trainer will see it, before it sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from trainer_core.errors import ExitCode
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.config.schema import Config
    from trainer_core.data.dataset import Scan


def scan(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help='Folder that holds folders named "<repeats>_<identifier> <class>"; else those of --config.',
            show_default=False,
        ),
    ] = None,
    reg: Annotated[
        Path | None, typer.Option("--reg", metavar="DIR", help='Class pictures, in folders "<repeats>_<class>".')
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every picture; the verdict is remembered by its content.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="OUT", help="Write contact sheets of what is trained on into a folder."),
    ] = None,
    config_file: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="FILE", help="A run file, preset or model whose settings apply, below the options."
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option("--resolution", metavar="W,H", help="Width and height of training; one number for both."),
    ] = None,
    buckets: Annotated[bool, typer.Option("--buckets", help="Sort pictures into buckets of like shape.")] = False,
    caption_extension: Annotated[
        str | None,
        typer.Option("--caption-extension", metavar="EXT", help="Captions' extension; else .caption, then .txt."),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option("--captions", metavar="METHOD", help="dreambooth, finetune or hybrid: whose texts to show."),
    ] = None,
    overrides: options.Overrides = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads that read pictures.")] = 4,
) -> int:
    """Show the folders, captions, balance and every problem of a dataset. Exit code 3 if there are problems."""
    from dbtui.cli.output import print_json
    from dbtui.cli.progress import picture_progress
    from dbtui.cli.scan_report import print_report, report_data
    from dbtui.cli.scan_settings import scan_config
    from trainer_core.data.scan import scan_dataset

    config = scan_config(
        folder,
        reg,
        file=config_file,
        resolution=resolution,
        buckets=buckets,
        extension=caption_extension,
        captions=captions,
        overrides=overrides or [],
    )
    if preview is not None:
        _check_preview(preview, config)
    dataset, method = config.dataset, config.method.captions
    with picture_progress() as progress:
        result = scan_dataset(
            dataset, config.concept, method=method, deep=deep, workers=workers, progress=progress
        )
    sheets = _write_preview(preview, result, config, workers) if preview else None
    if as_json:
        print_json(report_data(result, dataset) | ({"preview": sheets} if preview else {}))
    else:
        print_report(result, dataset)
    return int(ExitCode.DATASET if result.faults or result.bad_images else ExitCode.DONE)


def _check_preview(preview: Path, config: "Config") -> None:
    from dbtui.cli.scan_sheets import check_folder

    folders = [config.dataset.train_dir, config.dataset.reg_dir]
    folders += [folder for concept in config.concept for folder in (concept.instance_dir, concept.class_dir)]
    check_folder(preview, [from_home(folder) for folder in folders if folder])


def _write_preview(preview: Path, result: "Scan", config: "Config", workers: int) -> list[Path]:
    from dbtui.cli.output import narrate
    from dbtui.cli.progress import picture_progress
    from dbtui.cli.scan_sheets import write_sheets
    from trainer_core.data.listing import counted

    with picture_progress("drawing sheets") as progress:
        sheets = write_sheets(result, config, preview, workers, progress)
    wrote = f"wrote {counted(len(sheets), 'contact sheet')} into {safe_text(preview)}"
    narrate(wrote if sheets else "no picture to draw on contact sheets")
    return sheets
