"""A VAE from elsewhere: a model or VAE file, a Diffusers folder (whole, or of a VAE alone), a Hub id."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.ckpt import as_safetensors
from trainer_core.models.layout import check_vae_scale, component_files
from trainer_core.models.slots import Slots, vae_source
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import from_home, is_file, is_folder, why_not_there
from trainer_core.text import safe_text


def find_vae(vae: str, progress: Callable[[str], None], stack: ExitStack) -> Slots:
    """Return where the tensors of `model.vae` lie; what is made on the way lives as long as `stack`."""
    path = from_home(vae)
    if is_hub_id(vae):
        from trainer_core.models.hub import fetch_vae

        path = fetch_vae(vae, progress)
    if is_folder(path):
        files = component_files(path / "vae", "vae") or component_files(path, "vae")
        if not files:
            raise _error(path, "this folder holds no VAE (no vae/diffusion_pytorch_model.safetensors)")
        check_vae_scale(files[0].parent)
    elif is_file(path):
        files = [path]
    else:
        raise _error(path, why_not_there(path))
    slots = vae_source([as_safetensors(file, stack) for file in files])
    if not slots:
        raise _error(path, "it holds no VAE; name another file or folder")
    return slots


def _error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
