"""`dbtui caption`: a caption for every picture of a folder, written by a model."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from trainer_core.captioning.folder import Report

SECONDS_BETWEEN_LINES = 10.0


def caption(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help='Pictures, also in folders "<repeats>_<identifier> <class>" inside.'),
    ],
    model: Annotated[
        str,
        typer.Option("--model", metavar="MODEL", help="BLIP or WD tagger: a folder, an .onnx file, or a Hub id."),
    ],
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Taggers: least probability of a tag that is written; 0.35 if not given."),
    ] = None,
    replace_underscores: Annotated[
        bool | None,
        typer.Option(
            "--replace-underscores/--keep-underscores", help="Taggers: write long hair, or long_hair; the first."
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(metavar="WORDS", help="Put first in every caption, before a comma.")] = "",
    extension: Annotated[
        str | None,
        typer.Option(metavar="EXT", help="Extension of the captions; else one that is there, or .txt."),
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Put what is new behind the captions that are there.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the captions that are there.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=256, help="Pictures described at once.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> int:
    """Write captions with a model. A caption that is there is left alone unless you say otherwise."""
    from dbtui.cli.output import narrate, print_json
    from dbtui.cli.progress import picture_progress
    from trainer_core.captioning.captioner import open_captioner
    from trainer_core.captioning.folder import caption_pictures
    from trainer_core.captioning.pictures import find_pictures
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.text import safe_text

    if append and overwrite:
        raise UserError("--append and --overwrite say different things; give one of them", ExitCode.CONFIG)
    pictures = find_pictures(folder, extension)
    with picture_progress("writing captions") as progress:
        report = caption_pictures(
            pictures,
            lambda: open_captioner(
                model,
                threshold=threshold,
                replace_underscores=replace_underscores,
                progress=lambda text: narrate(safe_text(text)),
            ),
            when_there="append" if append else "overwrite" if overwrite else "keep",
            prefix=prefix,
            batch_size=batch_size,
            progress=progress or _progress_in_lines(),
        )
    for note in pictures.notes:
        narrate(f"note: {safe_text(note, 1000)}")
    if as_json:
        print_json(_data(report, pictures.notes))
    else:
        for path, text in report.written:
            typer.echo(f"{safe_text(path)}: {safe_text(text, 1000)}")
    _tell(report)
    return int(ExitCode.DATASET if report.failed else ExitCode.DONE)


def _progress_in_lines() -> Callable[[int, int], None]:
    """Return what tells the progress where there is no terminal for a bar, a line now and then."""
    from dbtui.cli.output import narrate

    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            narrate(f"{done} of {total} pictures")

    return tell


def _tell(report: "Report") -> None:
    """Tell on stderr what was not done, and sum up."""
    from dbtui.cli.endings import say_error
    from dbtui.cli.output import narrate
    from trainer_core.data.listing import counted, name_some
    from trainer_core.text import safe_text

    if report.empty:
        names = safe_text(name_some(report.empty), 500)
        narrate(f"note: nothing to say of {counted(len(report.empty), 'picture')} ({names}); no caption written")
    for path, reason in report.failed:
        say_error(f"{path}: {reason}")
    kept = f", {len(report.kept)} were there and are as they were" if report.kept else ""
    narrate(f"{counted(len(report.written), 'caption')} written{kept}")


def _data(report: "Report", notes: list[str]) -> dict[str, Any]:
    return {
        "ok": not report.failed,
        "written": [{"path": path, "caption": text} for path, text in report.written],
        "kept": report.kept,
        "empty": report.empty,
        "failed": [{"path": path, "reason": reason} for path, reason in report.failed],
        "notes": notes,
    }
