"""Convert a model between its formats: load it as training would, save it as training would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.preflight import check_model
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.models.model import StableDiffusion
    from trainer_core.models.save import SavedModel
    from trainer_core.models.snapshot import Form, Precision

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": False}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "dpmsolver++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
}
NOISE_SCHEDULE = (
    "beta_start",
    "beta_end",
    "beta_schedule",
    "num_train_timesteps",
    "prediction_type",
    "steps_offset",
    "timestep_spacing",
    "trained_betas",
    "rescale_betas_zero_snr",
)


@dataclass(frozen=True, slots=True)
class Converted:
    """What was converted: the loaded model, the form and the files written."""

    model: "StableDiffusion"
    form: "Form"
    saved: "SavedModel"


def convert(
    source: str,
    target: Path,
    *,
    precision: "Precision | None" = None,
    ema: bool = False,
    scheduler: str | None = None,
    vae: str | None = None,
    family: str = "auto",
    prediction: str = "auto",
    force: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Converted:
    """Write the model `source` to `target`: a `.safetensors` or `.ckpt` file, or else a Diffusers folder.

    Raises a UserError: exit code 2 for what cannot be asked for, 4 for the source, 6 for the target.
    """
    form = form_of_target(target)
    _check_request(target, form, scheduler, force=force)
    settings = ModelSettings.model_validate(
        {"base": source, "vae": vae, "family": family, "prediction": prediction}
    )
    _, errors = check_model(settings)  # what needs no torch is said at once
    if errors:
        raise UserError([problem for error in errors for problem in error.problems], errors[0].code)
    from trainer_core.models.load import load_model
    from trainer_core.models.save import save_model

    model = load_model(settings, progress=progress, ema=ema)
    if scheduler is not None:
        model.scheduler_config = scheduler_config(model.scheduler_config, scheduler)
    progress("writing and verifying")
    stem = target if form == "diffusers" else target.with_suffix("")
    return Converted(model, form, save_model(model, stem, format=form, precision=precision))


def form_of_target(target: Path) -> "Form":
    """Return the form that the target's name asks for."""
    suffix = target.suffix.lower()
    return "safetensors" if suffix == ".safetensors" else "ckpt" if suffix == ".ckpt" else "diffusers"


def scheduler_config(current: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the configuration of the scheduler `name` with the noise schedule of `current`."""
    class_name, settings = SCHEDULERS[name]
    noise = {key: current[key] for key in NOISE_SCHEDULE if key in current}
    version = current.get("_diffusers_version", "0.38.0")
    return {"_class_name": class_name, "_diffusers_version": version, **noise, **settings}


def _check_request(target: Path, form: "Form", scheduler: str | None, *, force: bool) -> None:
    problems = []
    if scheduler is not None and scheduler not in SCHEDULERS:
        known = ", ".join(SCHEDULERS)
        problems.append(f"--scheduler {safe_text(scheduler)}: there is no such scheduler; there are {known}")
    if scheduler is not None and form != "diffusers":
        problems.append("--scheduler: only a Diffusers folder holds a scheduler; name a folder as the target")
    if target.exists() and not force:
        problems.append(f"{safe_text(target)} exists already: choose another name, or add --force to replace it")
    elif form == "diffusers" and target.is_file():
        problems.append(f"{safe_text(target)} is a file; a Diffusers model needs a folder")
    elif form != "diffusers" and target.is_dir():
        problems.append(f"{safe_text(target)} is a folder; give a file name")
    elif form == "diffusers" and target.is_dir() and any(target.iterdir()) and not _is_model(target):
        problems.append(f"{safe_text(target)} holds something other than a model and is not replaced")
    if problems:
        raise UserError(problems, ExitCode.CONFIG)


def _is_model(folder: Path) -> bool:
    return (folder / "model_index.json").is_file()
