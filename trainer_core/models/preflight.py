"""What can be said of the start model and its VAE before either is loaded: everything that is wrong; no torch."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.header import read_header
from trainer_core.models.layout import SINGLE_FILE_PREFIXES, check_vae_scale, component_files
from trainer_core.models.pickles import check_torch
from trainer_core.models.preflight_text import text_problems
from trainer_core.models.sniff import ModelInfo, is_hub_id, sniff
from trainer_core.on_disk import from_home, is_file, is_folder, why_closed, why_not_there
from trainer_core.text import safe_text


def check_model(settings: ModelSettings) -> tuple[ModelInfo | None, list[UserError]]:
    """Return what the start model is (None if it cannot be used), and every problem with the [model] table."""
    errors: list[UserError] = []
    info = None
    try:
        if settings.base is not None:
            info = sniff(settings.base, family=settings.family, prediction=settings.prediction)
            _check_pickles(info)
    except UserError as error:
        errors.append(error)
    try:
        _check_vae(settings, info)
    except UserError as error:
        errors.append(error)
    return info, errors + text_problems(settings, info)


def is_pickled(model: ModelInfo) -> bool:
    """Tell whether the model, or a part of it, is a pickle: of those the header tells no storage type."""
    is_folder_with_pickles = model.format == "diffusers" and len(model.dtypes) < len(SINGLE_FILE_PREFIXES)
    return model.path is not None and (model.format == "ckpt" or is_folder_with_pickles)


def _check_pickles(info: ModelInfo) -> None:
    if info.path is not None and is_pickled(info):
        with suppress(PackageNotFoundError):  # without torch nothing trains at all, which is told elsewhere
            check_torch(info.path)


def _check_vae(settings: ModelSettings, info: ModelInfo | None) -> None:
    if settings.vae is None:
        if info and info.format == "safetensors" and "vae" not in info.dtypes:
            text = "it holds no VAE; name one (model.vae; --vae of dbtui convert), or use the full model file"
            raise UserError(f"{safe_text(info.base)}: {text}", ExitCode.MODEL)
        if info and info.format == "diffusers" and info.path is not None:
            check_vae_scale(info.path / "vae")
        return
    path = from_home(settings.vae)
    if is_folder(path):
        if closed := why_closed(path):
            raise _vae_error(path, closed)
        files = component_files(path / "vae", "vae") or component_files(path, "vae")
        if not files:
            raise _vae_error(path, "this folder holds no VAE (no vae/diffusion_pytorch_model.safetensors)")
        check_vae_scale(files[0].parent)
    elif is_file(path):
        files = [path]
    elif is_hub_id(settings.vae):
        return
    else:
        raise _vae_error(path, why_not_there(path))
    for file in files:
        if file.suffix == ".safetensors":
            read_header(file)
        else:
            with suppress(PackageNotFoundError):
                check_torch(file)


def _vae_error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
