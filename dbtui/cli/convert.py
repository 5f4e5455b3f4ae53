"""`dbtui convert`: a model from any of its formats to any other."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class PrecisionOption(StrEnum):
    """The values of `--precision`."""

    float = "float"
    fp16 = "fp16"
    bf16 = "bf16"


OwnPrecision = Annotated[PrecisionOption | None, typer.Option(help="Another precision for this part.")]


def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Model: a file, a Diffusers folder or a Hub id.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Ends in .safetensors or .ckpt, or is a folder.")],
    precision: Annotated[
        PrecisionOption | None, typer.Option(help="Precision of the weights; the source's if not given.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Short for --precision fp16.")] = False,
    unet_precision: OwnPrecision = None,
    text_encoder_precision: OwnPrecision = None,
    vae_precision: OwnPrecision = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the averaged (EMA) weights of the U-Net.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Sampler that a Diffusers folder names, such as ddim.")
    ] = None,
    vae: Annotated[str | None, typer.Option(help="Put this VAE into the result.")] = None,
    family: Annotated[str, typer.Option(help="sd1 or sd2, where the file does not tell.")] = "auto",
    prediction: Annotated[str, typer.Option(help="epsilon or v, where the file does not tell.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace what is at DST.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Convert a model between .ckpt, .safetensors and a Diffusers folder, and verify what was written."""
    from dbtui.cli.output import narrate, print_json
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.text import safe_text

    if half and precision not in {None, PrecisionOption.fp16}:
        raise UserError("--half and --precision say different things; give one of them", ExitCode.CONFIG)
    chosen = {"unet": unet_precision, "text_encoder": text_encoder_precision, "vae": vae_precision}
    own_precisions: Any = {component: own.value for component, own in chosen.items() if own}
    if (half or precision) and len(own_precisions) == len(chosen):
        raise UserError("every part has a precision of its own; leave out --precision (--half)", ExitCode.CONFIG)
    _check_choice("family", family)
    _check_choice("prediction", prediction)
    from trainer_core.models.convert import convert as convert_model

    done = convert_model(
        source,
        target,
        precision="fp16" if half else precision.value if precision else None,
        own_precisions=own_precisions,
        ema=ema,
        scheduler=scheduler,
        vae=vae,
        family=family,
        prediction=prediction,
        force=force,
        progress=lambda text: narrate(safe_text(text)),
    )
    model, saved = done.model, done.saved
    if as_json:
        facts = {"family": model.family.name, "prediction": model.prediction, "notes": model.notes}
        print_json({**facts, "format": done.form, "paths": saved.paths, "bytes": saved.bytes})
        return
    for note in model.notes:
        narrate(f"note: {safe_text(note)}")
    narrate(
        f"{model.family.title}, predicts {model.prediction}; {saved.bytes / 1e9:.2f} GB, read back and verified"
    )
    for path in saved.paths:
        typer.echo(safe_text(path))


def _check_choice(name: str, given: str) -> None:
    """Refuse what the setting model.`name` does not allow."""
    from trainer_core.config.fields import all_fields
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.text import safe_text

    choices = all_fields()[f"model.{name}"].value.choices
    if given not in choices:
        raise UserError(f"--{name} is one of {', '.join(choices)}, not {safe_text(given)}", ExitCode.CONFIG)
