"""`dbtui merge`: a LoRA added into a model's weights for good."""

from pathlib import Path
from typing import Annotated

import typer

from dbtui.cli.convert import PrecisionOption


def merge(
    base: Annotated[str, typer.Argument(metavar="BASE", help="Model: a file, a Diffusers folder or a Hub id.")],
    lora: Annotated[Path, typer.Argument(metavar="LORA", help="The LoRA's .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Ends in .safetensors or .ckpt, or is a folder.")],
    scale: Annotated[float, typer.Option(min=-10, max=10, help="Strength of the LoRA; 1 is as trained.")] = 1.0,
    precision: Annotated[
        PrecisionOption | None, typer.Option(help="Precision of the weights; the model's if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is at DST.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Add a LoRA to the weights of a model and save the result as a whole model."""
    from dbtui.cli.output import narrate, print_json
    from trainer_core.models.convert import convert
    from trainer_core.text import safe_text

    done = convert(
        base,
        target,
        precision=precision.value if precision else None,
        lora=lora,
        lora_scale=scale,
        force=force,
        progress=lambda text: narrate(safe_text(text)),
    )
    if as_json:
        print_json({"format": done.form, "paths": done.saved.paths, "bytes": done.saved.bytes, "scale": scale})
        return
    narrate(f"{done.model.family.title}; {done.saved.bytes / 1e9:.2f} GB, read back and verified")
    for path in done.saved.paths:
        typer.echo(safe_text(path))
