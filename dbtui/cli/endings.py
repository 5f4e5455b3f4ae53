"""How a program of ours ends: every failure is one message and an exit code, never a traceback."""

import os
import sys
from collections.abc import Callable

from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text


def ended(work: Callable[[], int]) -> int:
    """Do `work` and return the exit code: its own, or that of how it failed, which is told on stderr."""
    try:
        return work()
    except UserError as error:
        for problem in error.problems:
            say_error(problem)
        return int(error.code)
    except KeyboardInterrupt:
        say_error("interrupted")
        return int(ExitCode.STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the last resort: everything unexpected becomes one message
        return report_unexpected(error)


def say_error(problem: str) -> None:
    """Print one problem on stderr, made safe for the terminal."""
    print(f"error: {safe_text(problem, limit=2000)}", file=sys.stderr)  # noqa: T201


def report_unexpected(error: BaseException) -> int:
    """Write the traceback into a file, name that in one message, and return the exit code."""
    import tempfile
    import traceback

    what = f"unexpected failure ({type(error).__name__}: {error})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="dbtui-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
        say_error(f"{what} The details are in {file.name}.")
    except OSError:  # the disk of temporary files is full, which may be the failure itself
        say_error(what)
    return int(ExitCode.FAILED)
