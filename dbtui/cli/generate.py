"""`dbtui generate`: pictures drawn with a trained model, in files and in the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import exists, is_file
from trainer_core.run.names import is_run_name
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.generate.progress import Drawn, Progress

SECONDS_BETWEEN_LINES = 10.0


class PrecisionOption(StrEnum):
    """The values of `--precision`."""

    auto = "auto"
    float = "float"
    fp16 = "fp16"
    bf16 = "bf16"


def generate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model, a LoRA, a run or one of its checkpoints: a file, a folder, a run's name, or a Hub id.",
        ),
    ],
    prompts: Annotated[
        list[str], typer.Option("-p", "--prompt", metavar="PROMPT", help="What to draw; repeatable.")
    ],
    negative: Annotated[str, typer.Option("--negative", metavar="PROMPT", help="What not to draw.")] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the noise; more pictures count up.")] = 1,
    steps: Annotated[int, typer.Option("--steps", min=1, max=1000, help="Denoising steps.")] = 30,
    scale: Annotated[float, typer.Option("--scale", help="How strictly to follow the prompt.")] = 7.5,
    size: Annotated[
        str | None, typer.Option("--size", metavar="W,H", help="Width and height; what it was trained at, if not.")
    ] = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Pictures of each prompt.")] = 1,
    compare_base: Annotated[
        bool, typer.Option("--compare-base", help="Draw each with the start model too, at the same seed.")
    ] = False,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="MODEL", help="Start model of a LoRA, or the folder that it lies in."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the pictures.")] = Path(
        "generated"
    ),
    precision: Annotated[
        PrecisionOption, typer.Option(help="Of the computation; auto is fp16 on a GPU, else float.")
    ] = PrecisionOption.auto,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was drawn as JSON.")] = False,
) -> int:
    """Draw pictures with a trained model: full or LoRA, exported or a checkpoint of a training that goes on."""
    from dbtui.generate.candidates import candidates
    from dbtui.generate.form import parse_size
    from dbtui.generate.process import DrawingProcess
    from dbtui.generate.progress import Progress
    from trainer_core.generate.request import Request, pictures_of

    request = Request(
        model=model,
        prompts=tuple(prompts),
        out=str(output),
        negative=negative,
        seed=seed,
        steps=steps,
        scale=scale,
        size=parse_size(size or ""),
        number=number,
        compare=compare_base,
        base=base,
        precision=precision.value,
        candidates=candidates(runs_dir),
    )
    pictures_of(request)  # what is wrong with it is said before anything is started
    request = replace(request, model=_model(model, runs_dir))
    progress = Progress()
    with DrawingProcess(request) as process, _shown() as show:
        for event in process.events():
            notes, drawn = len(progress.notes), len(progress.pictures)
            progress.take(event)
            show(progress)
            for note in progress.notes[notes:]:
                narrate(f"note: {note}")
            if not as_json:
                for picture in progress.pictures[drawn:]:
                    _tell(picture)
    if as_json:
        print_json(_data(progress))
    if progress.problems:
        raise UserError(progress.problems, progress.code or ExitCode.FAILED)
    return int(ExitCode.FAILED if progress.code is None else progress.code)


def _model(model: str, runs_dir: Path) -> str:
    """Return the folder of the run of that name where nothing else is called so.

    Raises:
        UserError: it could only be the name of a run, and there is none.
    """
    from trainer_core.models.carried import is_model_name

    if exists(model) or not is_run_name(model) or is_model_name(model):
        return model
    if not is_file(runs_dir / model / "run.toml"):
        text = (
            f"{safe_text(model)}: there is no such file or folder, and no run of that name in"
            f" {safe_text(runs_dir)} (`dbtui runs`); check the path, or name the runs' folder with --runs-dir"
        )
        raise UserError(text, ExitCode.MODEL)
    return str(runs_dir / model)


@contextmanager
def _shown() -> "Iterator[Any]":
    """Yield what shows the progress: a bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    console = Console(stderr=True)
    columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False)
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda progress: bar.update(
            task, completed=progress.share, description=Text(progress.words).plain, total=1.0
        )


def _lines() -> Any:
    """Return what tells the progress where there is no terminal."""
    import time

    told, last = time.monotonic() - SECONDS_BETWEEN_LINES, ""

    def tell(progress: "Progress") -> None:
        nonlocal told, last
        if progress.doing != last or time.monotonic() - told > SECONDS_BETWEEN_LINES:
            told, last = time.monotonic(), progress.doing
            narrate(progress.words)

    return tell


def _tell(picture: "Drawn") -> None:
    """Print where a picture is, and the picture itself where stdout is a terminal."""
    if sys.stdout.isatty():
        from dbtui.cli.picture import print_picture

        print_picture(picture.path)
        narrate(picture.words)
    sys.stdout.write(f"{safe_text(picture.path, 4000)}\n")
    sys.stdout.flush()


def _data(progress: "Progress") -> dict[str, Any]:
    return {
        "ok": progress.code is ExitCode.DONE,
        "pictures": [
            {
                "path": picture.path,
                "prompt": picture.prompt,
                "seed": picture.seed,
                "of": "base" if picture.is_base else "trained",
            }
            for picture in progress.pictures
        ],
        "notes": progress.notes,
        "problems": progress.problems,
    }
