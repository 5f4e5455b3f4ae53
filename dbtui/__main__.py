"""The entry point: opens the application or runs the command line; each ending is one message and an exit code."""

import signal
import sys


def main() -> None:
    """Run dbtui with the process's arguments."""
    from trainer_core.console import open_what_is_closed

    open_what_is_closed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C; a training has handlers of its own
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # ✓ on a terminal without it
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    """Open the application if that is what is asked for: its first picture waits for no command's import."""
    from dbtui.cli.alone import app_options, is_on_a_terminal
    from dbtui.cli.endings import ended

    options = app_options(arguments)
    if options and is_on_a_terminal():
        from dbtui.wizard.open import open_wizard

        return ended(lambda: open_wizard(options))
    from dbtui.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    main()
