"""The trainer's own command line: `python -m trainer_core (RUN_DIR | FILE.toml)`, or `python dbtrain.py ...`.

A run directory is trained, or resumed from its newest checkpoint; a TOML file first becomes a run directory.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from trainer_core import __version__
from trainer_core.attempt import attempt
from trainer_core.config.bindings import require_bindings
from trainer_core.config.prompts_file import with_prompts_of_file
from trainer_core.config.reader import read_config
from trainer_core.config.writer import dump_config
from trainer_core.console import make_sturdy
from trainer_core.errors import ExitCode, UserError
from trainer_core.logs.follower import a_log_hangs
from trainer_core.on_disk import is_folder
from trainer_core.ranks.beside import work_beside
from trainer_core.ranks.launch import launch
from trainer_core.ranks.place import is_first, is_one_of_several
from trainer_core.ranks.several import Several, several_of
from trainer_core.resume.wishes import Wishes
from trainer_core.run.directory import RunDirectory, create_numbered_run, create_run, open_run
from trainer_core.run.names import stem_of
from trainer_core.run.stop_signals import StopRequestedError, StopSignals
from trainer_core.text import safe_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainer with `arguments` (the process's own by default) and leave with its exit code."""
    make_sturdy()
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.target and not options.extract_ckpt:
        parser.error("name a run directory or a run file")
    code = _run(options)
    if (
        code == ExitCode.STOPPED or a_log_hangs() or is_one_of_several()
    ):  # everything is written: no thread is worth waiting for
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(options: argparse.Namespace) -> int:
    try:
        if options.extract_ckpt:
            from trainer_core.models.ckpt import extract_ckpt

            extract_ckpt(*map(Path, options.extract_ckpt))
            return int(ExitCode.DONE)
        several = several_of(options.gpus, options.nodes, options.node_rank, options.rendezvous)
        if several is not None:
            return _launch(several, options)
        signals = StopSignals()
        with signals.interrupting():
            run = _run_directory(Path(options.target), options)
            wishes = _wishes(Path(options.target), options)
        if not is_first():
            return int(work_beside(run, signals, wishes))
        return int(attempt(run, signals, take_over=options.take_over, wishes=wishes))
    except StopRequestedError:
        sys.stderr.write("error: stopped before the run began\n")
        return int(ExitCode.STOPPED)
    except UserError as error:
        for problem in error.problems:
            sys.stderr.write(f"error: {safe_text(problem, limit=2000)}\n")
        return int(error.code)
    except Exception as error:  # noqa: BLE001 - the last resort; the traceback belongs into console.log
        traceback.print_exc()
        sys.stderr.write(f"error: unexpected failure ({type(error).__name__}: {safe_text(error)})\n")
        return int(ExitCode.FAILED)


def _launch(several: Several, options: argparse.Namespace) -> int:
    """Start the processes of the run, which is made here if it is not there yet."""
    run, wishes = _run_directory(Path(options.target), options), _wishes(Path(options.target), options)
    return launch(run, several, wishes, [*wishes.arguments, *["--take-over"] * options.take_over])


def _wishes(target: Path, options: argparse.Namespace) -> Wishes:
    """Return what is asked for a run; what was set for a run file stands in the new run already."""
    return Wishes(tuple(options.set) if is_folder(target) else (), options.allow_changed)


def _run_directory(target: Path, options: argparse.Namespace) -> RunDirectory:
    if is_folder(target):
        return open_run(target)
    if is_one_of_several():
        text = (
            "several processes were launched, and each would make a run of its own: give them the folder of a run,"
        )
        raise UserError(f"{text} or use --gpus instead of another launcher", ExitCode.CONFIG)
    if options.nodes > 1:
        text = "several machines need the folder of a run that all of them see: make it with `dbtui run`"
        raise UserError(text, ExitCode.CONFIG)
    config = read_config(target, overrides=options.set)
    require_bindings(config)
    config = with_prompts_of_file(config)
    text, runs_dir = dump_config(config), Path(options.runs_dir)
    if options.name:
        return create_run(runs_dir, options.name, text)
    concept = config.concept[0] if config.concept else None
    words = (concept.identifier, concept.class_) if concept else (config.save.output_name,)
    return create_numbered_run(runs_dir, stem_of(*words), text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=Path(sys.argv[0]).name if sys.argv[0].endswith(".py") else "trainer_core",
        description="Train a Stable Diffusion model with DreamBooth. The run directory that it writes can be "
        "watched from anywhere with `dbtui attach`.",
        epilog=ExitCode.listed(),
    )
    parser.add_argument("target", nargs="?", help="a run directory to train or resume, or a run file (.toml)")
    parser.add_argument("--runs-dir", default="runs", help="folder for new runs (default: %(default)s)")
    parser.add_argument("--name", help="name of the new run (default: the next free number)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the file or run; repeatable",
    )
    parser.add_argument(
        "--allow-changed",
        action="store_true",
        help="go on with a run also where its pictures, or settings that decide what is learned, are others now",
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="take the run also from a trainer on another machine that is gone for good and still holds its lock",
    )
    parser.add_argument("--gpus", metavar="N|all", help="share each batch among so many GPUs of this machine")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines that train together")
    parser.add_argument("--node-rank", type=int, default=0, metavar="N", help="which of them this is, from 0")
    parser.add_argument("--rendezvous", metavar="HOST:PORT", help="where they meet, on the first machine")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--extract-ckpt", nargs=2, metavar=("SRC", "DST"), help=argparse.SUPPRESS)
    return parser
