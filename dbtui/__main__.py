"""The entry point: runs the command line and turns every ending into one message and an exit code."""

import signal
import sys


def main() -> None:
    """Run dbtui with the process's arguments."""
    from dbtui.cli.app import run
    from trainer_core.console import open_what_is_closed

    open_what_is_closed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C; a training has handlers of its own
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # ✓ on a terminal without it
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
