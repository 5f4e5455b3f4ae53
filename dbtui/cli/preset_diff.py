"""`dbtui preset diff`: the settings in which two presets, files, runs or models differ."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode

if TYPE_CHECKING:
    from dbtui.presets.differ import Side

What = Annotated[str, typer.Argument(help="A preset's name, a .toml file, a run, or a model.")]


def diff(
    a: What,
    b: What,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    as_json: options.Json = False,
) -> int:
    """Show the settings in which A and B differ, all that they extend included.

    Ends with 0 if they are the same and with 1 if they differ, as diff does; with 2 if one cannot be read.
    """
    from dbtui.presets.differ import differ
    from dbtui.presets.source import open_source

    first, second = open_source(a, runs_dir), open_source(b, runs_dir)
    found = differ(first.config, second.config)
    if as_json:
        differences = [
            {"key": each.key, "a": _data(each.first), "b": _data(each.second), "unit": each.unit or None}
            for each in found.differences
        ]
        sides = {name: {"kind": side.kind, "name": side.name} for name, side in (("a", first), ("b", second))}
        print_json({**sides, "differences": differences, "not_compared": found.not_compared})
    else:
        narrate(f"{first.label} -> {second.label}: {_count(len(found.differences))}")
        if found.not_compared:
            narrate(f"not compared, because only one of them has any: {'; '.join(found.not_compared)}")
        for each in found.differences:
            sys.stdout.write(f"{each.line()}\n")
    return int(ExitCode.FAILED if found.differences else ExitCode.DONE)


def _data(side: "Side") -> dict[str, Any]:
    return {"value": side.value, "used": side.is_used}


def _count(number: int) -> str:
    if number == 0:
        return "the same settings"
    return "1 setting differs" if number == 1 else f"{number} settings differ"
