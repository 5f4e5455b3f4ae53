"""The entry point: runs the command line and turns every ending into one message and an exit code."""

import sys


def main() -> None:
    """Run dbtui with the process's arguments."""
    from dbtui.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
