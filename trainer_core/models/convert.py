"""Convert a model between its formats: load it as training would, save it as training would."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.disk import why_not_writable
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.carried import kept_facts
from trainer_core.models.layout import target_path, yaml_path
from trainer_core.models.lora.inspect import check_lora_file
from trainer_core.models.preflight import check_model
from trainer_core.on_disk import exists, from_home, is_file, is_folder, is_utf8, why_closed
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.models.family import Component
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
FILE_SUFFIXES: dict[str, "Form"] = {".safetensors": "safetensors", ".ckpt": "ckpt"}
LONGEST_NAME = 230
"""Bytes. File systems allow 255, of which the name of what is not whole yet needs some."""
_SUFFIX = re.compile(r"\.(?!v\d+$)[A-Za-z][A-Za-z0-9]{1,11}")


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
    own_precisions: "Mapping[Component, Precision] | None" = None,
    ema: bool = False,
    scheduler: str | None = None,
    vae: str | None = None,
    lora: Path | None = None,
    lora_scale: float = 1.0,
    family: str = "auto",
    prediction: str = "auto",
    force: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Converted:
    """Write the model `source` to `target`: a `.safetensors` or `.ckpt` file, or else a Diffusers folder.

    The suffix is written in small letters. `own_precisions` gives components a type of their own. A `lora` file is
    added to the weights, times `lora_scale`; without one, the settings that the model carries go along. What is
    there already is replaced only with `force`.
    Raises a UserError: exit code 2 for what cannot be asked for, 4 for the source, 6 for the target.
    """
    form = form_of_target(target)
    settings = _settings(source, vae, family, prediction)
    _check_request(target, form, scheduler, force=force)
    info, errors = check_model(settings)  # what needs no torch is said at once
    if lora is not None:
        errors += check_lora_file(lora, info)
    if errors:
        raise UserError([problem for error in errors for problem in error.problems], errors[0].code)
    from trainer_core.models.load import load_model
    from trainer_core.models.lora.merge import merge_lora
    from trainer_core.models.save import save_model

    model = load_model(settings, progress=progress, ema=ema)
    if lora is not None:
        progress("adding the LoRA")
        merge_lora(model, lora, lora_scale)
    if scheduler is not None:
        model.scheduler_config = scheduler_config(model.scheduler_config, scheduler)
    _check_yaml(model, target, form, force=force)
    progress("writing and verifying")
    saved = save_model(
        model,
        _stem(target, form),
        format=form,
        precision=precision,
        metadata=kept_facts(from_home(source)) if lora is None else {},
        own_precisions=own_precisions,
    )
    return Converted(model, form, saved)


def form_of_target(target: Path) -> "Form":
    """Return the form that the target's name asks for."""
    return FILE_SUFFIXES.get(target.suffix.lower(), "diffusers")


def scheduler_config(current: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the configuration of the scheduler `name` with the noise schedule of `current`."""
    class_name, settings = SCHEDULERS[name]
    noise = {key: current[key] for key in NOISE_SCHEDULE if key in current}
    version = current.get("_diffusers_version", "0.38.0")
    return {"_class_name": class_name, "_diffusers_version": version, **noise, **settings}


def _settings(source: str, vae: str | None, family: str, prediction: str) -> ModelSettings:
    """Return what to load; the settings' own rules are told in the words of the command line."""
    try:
        return ModelSettings.model_validate(
            {"base": source, "vae": vae, "family": family, "prediction": prediction}
        )
    except ValidationError as error:
        problems = []
        for details in error.errors(include_url=False):
            name, given = str(details["loc"][0]), details["input"]
            option = "SRC" if name == "base" else f"--{name}"
            why = "is not UTF-8; rename it" if not is_utf8(given) else "is not allowed" if given else "is empty"
            problems.append(f"{option} {why}" + (f": {safe_text(given)}" if given else ""))
        raise UserError(problems, ExitCode.CONFIG) from None


def _check_request(target: Path, form: "Form", scheduler: str | None, *, force: bool) -> None:
    problems = [*_about_scheduler(scheduler, form), *_about_target(target, form, force=force)]
    if problems:
        raise UserError(problems, ExitCode.CONFIG)
    if problem := why_not_writable(target.parent):
        raise UserError(f"{problem}: choose another folder", ExitCode.DISK)


def _about_scheduler(name: str | None, form: "Form") -> Iterator[str]:
    if name is not None and name not in SCHEDULERS:
        known = ", ".join(SCHEDULERS)
        yield f"--scheduler {safe_text(name)}: there is no such scheduler; there are {known}"
    if name is not None and form != "diffusers":
        yield "--scheduler: only a Diffusers folder holds a scheduler; name a folder as the target"


def _about_target(target: Path, form: "Form", *, force: bool) -> Iterator[str]:
    """Say what is wrong with the target: with its name, or with what lies where it will be written."""
    written, shown = _written(target, form), safe_text(target)
    if not is_utf8(target):
        yield f"{shown} is not a UTF-8 name; choose another"
    elif len(target.name.encode()) > LONGEST_NAME:
        yield f"{safe_text(target, 80)}: the name is longer than {LONGEST_NAME} bytes; choose a shorter one"
    elif form == "diffusers" and not is_folder(target) and _looks_like_a_file(target):
        known = " or ".join(FILE_SUFFIXES)
        yield (
            f"{shown}: a model is written to a file that ends in {known}, or to a folder, whose name has no "
            f"ending such as {safe_text(target.suffix or target.name)}"
        )
    elif exists(written) and not force:
        yield f"{safe_text(written)} exists already: choose another name, or add --force to replace it"
    elif form != "diffusers":
        if is_folder(written):
            yield f"{safe_text(written)} is a folder; give a file name"
    elif is_folder(target):
        yield from _about_folder(target)
    elif exists(target):
        yield f"{shown} is a file; a Diffusers model needs a folder"


def _looks_like_a_file(target: Path) -> bool:
    return target.name.lower() in FILE_SUFFIXES or _SUFFIX.fullmatch(target.suffix) is not None


def _about_folder(folder: Path) -> Iterator[str]:
    if closed := why_closed(folder):
        yield f"{safe_text(folder)} {closed}"
    elif any(folder.iterdir()) and not is_file(folder / "model_index.json"):
        yield f"{safe_text(folder)} holds something other than a model and is not replaced"


def _check_yaml(model: "StableDiffusion", target: Path, form: "Form", *, force: bool) -> None:
    """Refuse to replace a `.yaml` of other content beside the file; of which family it is, is known only now."""
    text = model.family.single_file_yaml(model.prediction)
    if form == "diffusers" or text is None or force:
        return
    yaml = yaml_path(_written(target, form))
    with suppress(OSError):
        if yaml.read_bytes() == text.encode():
            return
    if exists(yaml):
        raise UserError(
            f"{safe_text(yaml)} exists already, and this model needs a file of that name: choose another name for "
            "the model, or add --force to replace it",
            ExitCode.CONFIG,
        )


def _stem(target: Path, form: "Form") -> Path:
    return target if form == "diffusers" else target.with_suffix("")


def _written(target: Path, form: "Form") -> Path:
    """Return the file or folder that is really written: the suffix is always in small letters."""
    return target_path(_stem(target, form), form)
