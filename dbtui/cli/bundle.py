"""`dbtui bundle`: the portable single-file trainer."""

from pathlib import Path
from typing import Annotated

import typer

from trainer_core.text import safe_text


def bundle(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = Path(
        "dbtrain.py"
    ),
) -> int:
    """Write the trainer as one file: `python dbtrain.py run.toml` trains where dbtui is not installed."""
    from dbtui.bundle.generate import generate
    from dbtui.cli.output import narrate
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.run.atomic import write_text

    try:
        write_text(output, generate())
        output.chmod(0o644)
    except OSError as error:
        text = f"{safe_text(output)} cannot be written ({error.strerror}): name another file with -o"
        raise UserError(text, ExitCode.DISK) from error
    size = output.stat().st_size / 1024
    narrate(f"wrote {safe_text(output)} ({size:.0f} KB); try: python {safe_text(output)} --help")
    return 0
