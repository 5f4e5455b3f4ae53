"""`dbtui fetch`: bring a run here from another machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbtui.cli import options
from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.remote.fetch import Fetched, Meter
    from dbtui.remote.target import Target

_SHOWN = 8


def fetch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="USER@HOST:PATH", help="The run there; also [address]:path or ssh://host:port/path."
        ),
    ],
    dest: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DEST]", help="The run's folder here, or a folder to put it in; else in --runs-dir."
        ),
    ] = None,
    runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also the complete states that a resume needs; they are large.")
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Bring a run here over ssh: models, previews, events. What is here and identical is not brought again."""
    from dbtui.remote.connect import connect
    from dbtui.remote.fetch import Fetch
    from dbtui.remote.target import is_remote, parse_target

    if not is_remote(source):
        text = f'"{safe_text(source, 200)}" is on this machine: fetch takes user@host:path'
        raise UserError(text, ExitCode.CONFIG)
    target = parse_target(source)
    place = _place(target, dest, runs_dir)
    with _meter() as meter:
        fetched = Fetch(target, place, lambda: connect(target, narrate), narrate, meter).fetch(
            checkpoints=checkpoints
        )
    _tell(target, fetched, as_json)
    return 0


def _place(target: "Target", dest: Path | None, runs_dir: Path) -> Path:
    """Return where the run is to lie here: DEST itself, or below it if it is a folder and no run."""
    from trainer_core.run.names import is_run_name

    if dest is not None and not (dest.is_dir() and not (dest / "run.toml").exists()):
        return dest
    if not is_run_name(target.name):
        text = f'"{safe_text(target.path, 200)}" gives the run no name for here: name its folder as DEST'
        raise UserError(text, ExitCode.CONFIG)
    return (dest or runs_dir) / target.name


def _tell(target: "Target", fetched: "Fetched", as_json: bool) -> None:
    if as_json:
        print_json(_as_data(target, fetched))
    else:
        sys.stdout.write(f"{safe_text(fetched.run.path, 2000)}\n")
        narrate(_summary(fetched))
    if not fetched.is_verified:
        narrate("warning: the other side cannot compute SHA-256, so only sizes were compared")
    if fetched.changed:
        narrate(f"warning: changed or removed while it was fetched, so not here: {_some(fetched.changed)}")
    if fetched.elsewhere:
        narrate(f"note: not in the run's folder there, so not here: {_some(fetched.elsewhere)}")
    if fetched.left_out:
        narrate(f"note: links and the like were left out: {_some(fetched.left_out)}")


def _as_data(target: "Target", fetched: "Fetched") -> dict[str, Any]:
    return {
        "run": fetched.run.name,
        "path": fetched.run.path,
        "from": safe_text(target.text, 1000),
        "state": fetched.status,
        "files": fetched.files,
        "bytes": fetched.size,
        "brought_bytes": fetched.brought,
        "verified": fetched.is_verified,
        "changed": [safe_text(name, 300) for name in fetched.changed],
        "left_out": list(fetched.left_out),
        "elsewhere": list(fetched.elsewhere),
    }


def _summary(fetched: "Fetched") -> str:
    from dbtui.dashboard.state import size_text

    verified = ", verified by SHA-256" if fetched.is_verified else ""
    here = fetched.size - fetched.brought
    before = f", {size_text(here)} were here" if here > 0 else ""
    return f"{fetched.files} files, {size_text(fetched.size)}{before}{verified}; it was {fetched.status} then"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(safe_text(name, 200) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


@contextmanager
def _meter() -> "Iterator[Meter]":
    """Yield what shows bytes: a bar on a terminal, which leaves no trace; a line now and then elsewhere."""
    if not sys.stderr.isatty():
        from dbtui.remote.meter import PlainMeter

        yield PlainMeter(narrate)
        return
    from dbtui.remote.meter import bar_meter

    with bar_meter() as meter:
        yield meter
