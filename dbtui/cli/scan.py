"""`dbtui scan`: the dataset as the trainer will see it, before it sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli import options
from trainer_core.errors import ExitCode, UserError
from trainer_core.narrate import narrate
from trainer_core.on_disk import from_home, is_utf8
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.config.layer import Layer, Tables
    from trainer_core.config.schema import Config
    from trainer_core.data.dataset import Scan


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
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="OUT", help="Write contact sheets of what is trained on into a folder."),
    ] = None,
    config_file: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="FILE", help="A run file or preset whose settings apply; options go first."
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
    from trainer_core.data.scan import scan_dataset

    layers = _layers(folder, reg, resolution, buckets, caption_extension, captions)
    config = _with_folders(_config(config_file, layers, overrides or []), folder, reg)
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
    from dbtui.cli.progress import picture_progress
    from dbtui.cli.scan_sheets import write_sheets

    with picture_progress("drawing sheets") as progress:
        sheets = write_sheets(result, config, preview, workers, progress)
    where = f"{safe_text(preview)} ({safe_text(sheets[0].name)}" if sheets else ""
    narrate(f"wrote {counted(len(sheets), 'contact sheet')} into {where} ...)" if sheets else "no picture to show")
    return sheets


def _with_folders(config: "Config", folder: Path, reg: Path | None) -> "Config":
    """Put in the folders as they were typed."""
    folders = {"train_dir": str(folder), **({"reg_dir": str(reg)} if reg else {})}
    return config.model_copy(update={"dataset": config.dataset.model_copy(update=folders)})


def _config(file: str | None, layers: list["Layer"], overrides: list[str]) -> "Config":
    """Lay what the options say of the pictures over the file, if there is one."""
    from dbtui.presets.library import find_text, open_preset
    from trainer_core.config.reader import parse_config, read_config

    if file is None:
        return parse_config("schema = 1", "these settings", over=layers, overrides=overrides)
    return read_config(open_preset(file).path, find_preset=find_text, over=layers, overrides=overrides)


def _layers(
    folder: Path,
    reg: Path | None,
    resolution: str | None,
    buckets: bool,
    extension: str | None,
    captions: str | None,
) -> list["Layer"]:
    """Return what each option sets."""
    from trainer_core.config.layer import Layer, Tables

    named = {"DIR": folder, "--reg": reg}
    if wrong := [f"{option} {safe_text(path)}" for option, path in named.items() if path and not is_utf8(path)]:
        raise UserError(
            [f"{name} is not UTF-8, so no run could name it; rename it" for name in wrong], ExitCode.CONFIG
        )
    size = _size(resolution or "512")
    bucket = {"enable": True, "min_reso": min(256, *size), "max_reso": max(1024, *size)} if buckets else {}
    given: dict[str, Tables] = {
        "--captions": {"method": {"captions": captions}} if captions else {},
        "--resolution": {"dataset": {"resolution": size}} if resolution else {},
        "--buckets": {"dataset": {"bucket": bucket}},
        "--reg": {"dataset": {"reg_dir": str(reg)}} if reg else {},
        "--caption-extension": {"dataset": {"caption_extension": extension}} if extension is not None else {},
    }
    return [Layer(option, tables, Path.cwd()) for option, tables in given.items()]


def _size(resolution: str) -> tuple[int, int]:
    from pydantic import ValidationError

    from trainer_core.config.schema import Dataset

    sides = resolution.lower().replace("x", ",").split(",")
    try:
        width, height = (int(side) for side in (sides * 2 if len(sides) == 1 else sides))
        return Dataset(resolution=(width, height)).resolution
    except (ValueError, ValidationError):
        text = "--resolution takes one side or two, such as 512 or 512,768: multiples of 64, from 64 to 4096"
        raise UserError(text, ExitCode.CONFIG) from None
