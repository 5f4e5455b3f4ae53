"""`dbtui preset new`: a preset to give away, of the settings of a run, a file or a model."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from dbtui.presets.compose import Composed
    from dbtui.presets.source import Source
    from trainer_core.config.tables.about import Measured


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new preset.")],
    from_: Annotated[
        str,
        typer.Option(
            "--from", metavar="RUN_OR_FILE", help="Whose settings: a run, a .toml file, a preset or a model."
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="NAME.toml or its folder, or - to print it."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="One line for lists.")] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is for and what it gives up.")
    ] = None,
    author: Annotated[str | None, typer.Option("--author", metavar="TEXT", help="Who made it.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="TEXT", help="Licence of the file, such as CC0-1.0.")
    ] = None,
    keep_prompts: Annotated[
        bool,
        typer.Option("--keep-prompts", help="Keep concepts, previews and other texts, without folders."),
    ] = False,
    measured: Annotated[
        bool, typer.Option("--measured", help="Write what the run measured: GPU, peak VRAM, speed, version.")
    ] = False,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Write every setting, even over a shipped preset."),
    ] = False,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    as_json: options.Json = False,
) -> int:
    """Make a preset of a run or a file, without anything of this machine in it."""
    from dbtui.presets.compose import check_name, compose
    from dbtui.presets.place import place_of, write_new
    from dbtui.presets.source import open_source

    check_name(name)
    path = None if output == "-" else place_of(name, Path(output) if output is not None else None)
    source = open_source(from_, runs_dir)
    given = {"title": title, "description": description, "author": author, "license": license_}
    made = compose(
        source,
        name,
        about={key: value for key, value in given.items() if value is not None},
        keep_prompts=keep_prompts,
        measured=_measured(source) if measured else None,
        complete=complete,
    )
    if path is not None:
        write_new(path, made.text)
    if as_json:
        print_json(_as_data(made, path))
    elif path is None:
        sys.stdout.write(made.text)
    for line in _told(source, made, path, name):
        narrate(line)
    if not keep_prompts and any(left.why == "prompt" for left in made.left_out):
        narrate("--keep-prompts keeps what is taught and drawn")
    return int(ExitCode.DONE)


def _measured(source: "Source") -> "Measured":
    from dbtui.presets.measure import measured_by

    if source.run is None:
        raise UserError(f"--measured is of a run, and {source.label} is none: leave it out", ExitCode.CONFIG)
    return measured_by(source.run)


def _told(source: "Source", made: "Composed", path: Path | None, name: str) -> Iterator[str]:
    from dbtui.presets.library import user_folder
    from trainer_core.config.strip import REASONS
    from trainer_core.text import safe_text

    settings = "1 setting" if made.own == 1 else f"{made.own} settings"
    how = f"extends {made.extends}, with {settings} of its own" if made.extends else "complete: it extends nothing"
    yield f"{safe_text(path) if path else name}: {how} (from {source.label})"
    for why, words in REASONS.items():
        if keys := [left.key for left in made.left_out if left.why == why]:
            yield f"left out, {words}: {', '.join(keys)}"
    if len(made.config.concept) > 1:
        yield "it has several [[concept]] tables: a run file that extends it must give each its instance_dir"
    elif path is not None:
        is_found = path.parent == user_folder()
        file = name if is_found else shlex.quote(safe_text(path))
        yield f"train with it: dbtui run {file} --model MODEL --data DIR"


def _as_data(made: "Composed", path: Path | None) -> dict[str, Any]:
    left = [{"key": each.key, "why": each.why} for each in made.left_out]
    about = made.config.preset
    return {
        "name": about.name,
        "path": path,
        "extends": made.extends,
        "left_out": left,
        "measured": [item.model_dump() for item in about.measured],
        "text": made.text,
    }
