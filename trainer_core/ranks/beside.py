"""A process of a run beside the first: it computes its part, and writes nothing of the run."""

import sys
import traceback

from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.failures import LostProcessError, write_failure
from trainer_core.ranks.place import rank
from trainer_core.resume.wishes import Wishes
from trainer_core.run.directory import RunDirectory
from trainer_core.run.stop_signals import StopRequestedError, StopSignals
from trainer_core.text import safe_text


def work_beside(run: RunDirectory, signals: StopSignals, wishes: Wishes) -> ExitCode:
    """Compute this process's part of `run` until the first process ends the training.

    A stop is no failure here: the first process tells of it.
    """
    try:
        with signals.interrupting():
            from trainer_core.models.lean import lean_imports

            lean_imports()
            from trainer_core.train.beside import make_ready_beside, train_beside

            job = make_ready_beside(run, signals, wishes)
        train_beside(job, signals)
    except StopRequestedError:
        return ExitCode.DONE
    except UserError as error:
        return _failed(run, signals, error)
    except Exception as error:  # noqa: BLE001 - the traceback goes to the console log, the first process tells of it
        if not signals.stop_requested:
            traceback.print_exc()
        text = f"unexpected failure ({type(error).__name__}: {safe_text(error)}); the details are in console.log"
        return _failed(run, signals, UserError(text, ExitCode.FAILED))
    return ExitCode.DONE


def _failed(run: RunDirectory, signals: StopSignals, error: UserError) -> ExitCode:
    if isinstance(error, LostProcessError):  # that one has left word, or is the first
        return ExitCode.DONE if signals.stop_requested else error.code
    write_failure(run, rank(), error)
    lines = "".join(f"error: process {rank()}: {safe_text(line, limit=2000)}\n" for line in error.problems)
    sys.stderr.write(lines)
    return error.code
