"""Where output goes: data to stdout, narration to stderr."""

import json
import sys
from contextlib import suppress
from typing import Any


def print_json(data: Any) -> None:
    """Print `data` as JSON on stdout; paths become strings, undecodable file names are escaped."""
    text = json.dumps(data, indent=2, default=str, ensure_ascii=True)
    sys.stdout.write(text + "\n")


def narrate(text: str) -> None:
    """Tell the person something on stderr. `text` must be safe already (see `trainer_core.text`).

    If nobody reads that any more, it is not said: no command fails for it.
    """
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
