"""`dbtui report`: one self-contained page about a run, live or past."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def report(
    run: options.Run = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write it; report.html in the run's folder."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
    as_json: options.Json = False,
) -> int:
    """Write report.html anew: plots, previews, dataset, settings. It needs no network and can be given away."""
    from dbtui.runs.find import choose_run
    from trainer_core.report.write import write_report

    chosen = choose_run(runs_dir, run)
    try:
        page = write_report(chosen, output.absolute() if output else None)
    except OSError as error:
        where = safe_text(output or chosen.report)
        text = f"{where} cannot be written ({safe_text(error.strerror or error)}): name another file with --output"
        raise UserError(text, ExitCode.DISK) from error
    if as_json:
        print_json({"run": chosen.name, "report": page, "bytes": page.stat().st_size})
    else:
        sys.stdout.write(f"{safe_text(page, 2000)}\n")
    if open_it:
        _open(page)
    return 0


def _open(page: Path) -> None:
    import webbrowser

    if not (_has_screen() and webbrowser.open(page.as_uri())):
        narrate("there is no browser to open it in here: copy it to your own machine, it is one file")


def _has_screen() -> bool:
    """Tell whether a window can appear; a browser in the terminal would take that over."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
