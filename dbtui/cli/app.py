"""The Typer application: the list of commands, and how each of them ends."""

from pathlib import Path
from typing import Annotated

import typer

from dbtui import __version__
from dbtui.cli import commands
from dbtui.cli.alone import DEFAULT_RUNS_DIR
from dbtui.cli.attach import attach
from dbtui.cli.bundle import bundle
from dbtui.cli.caption import caption
from dbtui.cli.convert import convert
from dbtui.cli.demo import demo
from dbtui.cli.doctor import doctor
from dbtui.cli.endings import ended, say_error
from dbtui.cli.fetch import fetch
from dbtui.cli.generate import generate
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
from dbtui.wizard.options import Images
from trainer_core.errors import ExitCode, UserError

_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt that no command has caught."""

app = typer.Typer(
    name="dbtui",
    help="DreamBooth training from the terminal: a folder of pictures in, a trained model out. "
    "`dbtui` alone opens the app.",
    epilog=ExitCode.listed(),
    invoke_without_command=True,
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
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
    no_mouse: Annotated[
        bool, typer.Option("--no-mouse", help="The app: leave the mouse to the terminal, which can then select.")
    ] = False,
    images: Annotated[
        Images, typer.Option("--images", help="The app: how pictures are shown; auto asks the terminal.")
    ] = "auto",
    runs_dir: Annotated[
        Path, typer.Option("--runs-dir", metavar="DIR", help="The app: folder that holds the runs.")
    ] = DEFAULT_RUNS_DIR,
) -> None:
    """Options that come before a command: without one, `dbtui` opens the app."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise UserError("name a command: the app needs a terminal (over SSH: ssh -t)", ExitCode.CONFIG)
    if no_mouse or images != "auto" or runs_dir != DEFAULT_RUNS_DIR:
        command = context.invoked_subcommand
        text = (
            f"--no-mouse, --images and --runs-dir before a command are for the app, which `dbtui` alone opens: "
            f"leave them out; `dbtui {command} --help` lists what belongs behind {command}"
        )
        raise UserError(text, ExitCode.CONFIG)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. A person sees a message, never a traceback."""
    return ended(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, standalone_mode=False)
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if show := getattr(error, "format_message", None):  # the command line itself was wrong (click's errors)
            if said := show().strip():  # nothing where a group was named alone: its help has been printed
                say_error(f"{said}{'' if said.endswith(('.', '?', '!')) else '.'} Try `dbtui --help`.")
            return int(ExitCode.CONFIG)
        raise
    if result == _INTERRUPTED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else int(ExitCode.DONE)


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
app.command("generate")(generate)
app.command("convert")(convert)
app.command("merge")(merge)
