"""The Typer application: the list of commands, and how each of them ends."""

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from dbtui import __version__
from dbtui.cli import commands
from dbtui.cli.attach import attach
from dbtui.cli.bundle import bundle
from dbtui.cli.caption import caption
from dbtui.cli.convert import convert
from dbtui.cli.demo import demo
from dbtui.cli.doctor import doctor
from dbtui.cli.fetch import fetch
from dbtui.cli.log import log
from dbtui.cli.merge import merge
from dbtui.cli.plan import plan
from dbtui.cli.preset import app as preset_app
from dbtui.cli.report import report
from dbtui.cli.resume import resume
from dbtui.cli.run import run as run_command
from dbtui.cli.runs import runs
from dbtui.cli.scan import scan
from dbtui.cli.token import token
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt that no command has caught."""

app = typer.Typer(
    name="dbtui",
    help="DreamBooth training from the terminal: a folder of pictures in, a trained model out.",
    epilog=ExitCode.listed(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dbtui {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Options that come before a command."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. A person sees a message, never a traceback."""
    try:
        result = app(arguments, standalone_mode=False)
        if result == _INTERRUPTED:
            raise KeyboardInterrupt
    except UserError as error:
        for problem in error.problems:
            say_error(problem)
        return int(error.code)
    except typer.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        say_error("interrupted")
        return int(ExitCode.STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: everything unexpected becomes one message
        if show := getattr(error, "format_message", None):  # the command line itself was wrong (click's errors)
            said = show().strip()
            say_error(f"{said}{'' if said.endswith(('.', '?', '!')) else '.'} Try `dbtui --help`.")
            return int(ExitCode.CONFIG)
        return _report_unexpected(error)
    return result if isinstance(result, int) else int(ExitCode.DONE)


def say_error(problem: str) -> None:
    """Print one problem on stderr, made safe for the terminal."""
    print(f"error: {safe_text(problem, limit=2000)}", file=sys.stderr)  # noqa: T201


def _report_unexpected(error: Exception) -> int:
    what = f"unexpected failure ({type(error).__name__}: {error})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="dbtui-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(error, file=file)
        say_error(f"{what} The details are in {Path(file.name)}.")
    except OSError:  # the disk of temporary files is full, which may be the failure itself
        say_error(what)
    return int(ExitCode.FAILED)


app.command("scan")(scan)
app.command("caption")(caption)
app.add_typer(preset_app, name="preset")
app.command("plan")(plan)
app.command("run")(run_command)
for _command in (runs, attach, resume, commands.stop, commands.pause, commands.save, commands.sample, log):
    app.command(_command.__name__)(_command)
app.command("fetch")(fetch)
app.command("report")(report)
app.command("bundle")(bundle)
app.command("demo")(demo)
app.command("doctor")(doctor)
app.command("token")(token)
app.command("convert")(convert)
app.command("merge")(merge)
