"""How to use a trained model in other programs, in words. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

_ONE_FILE = {".safetensors", ".ckpt"}


@dataclass(frozen=True, slots=True)
class Use:
    """What to do in one program; `code` is shown as it stands."""

    program: str
    text: str
    code: str = ""


def how_to_use(path: str, *, is_lora: bool, has_yaml: bool, base: str, prompts: Sequence[str]) -> list[Use]:
    """Say how to use the model that the file or folder `path` (relative) is.

    Args:
        path: the file or folder; it may be given in the words of a report.
        is_lora: whether it is a LoRA, to be used with the start model `base`.
        has_yaml: whether a .yaml lies beside it, which says what a 2.x model is.
        base: name of the start model.
        prompts: what to write to get the subjects.
    """
    name, write = PurePath(path).name, _write(prompts)
    if is_lora:
        return list(_lora(path, name, base, write))
    if PurePath(path).suffix in _ONE_FILE:
        return list(_one_file(path, name, has_yaml, write))
    return [_diffusers(f'StableDiffusionPipeline.from_pretrained("{path}")', write)]


def _one_file(path: str, name: str, has_yaml: bool, write: str) -> Iterator[Use]:
    files = (
        f"{name} and {PurePath(name).with_suffix('.yaml')}, which says what kind of model it is,"
        if has_yaml
        else name
    )
    yield Use(
        "Web UI (AUTOMATIC1111, Forge)",
        f"Copy {files} to models/Stable-diffusion and choose it as the checkpoint.{write}",
    )
    yield Use("ComfyUI", f"Copy {name} to models/checkpoints and open it with Load Checkpoint.{write}")
    yield _diffusers(f'StableDiffusionPipeline.from_single_file("{path}")', write)


def _lora(path: str, name: str, base: str, write: str) -> Iterator[Use]:
    stem = PurePath(name).stem
    on = f" with {base}" if base else ""
    yield Use("Web UI (AUTOMATIC1111, Forge)", f"Copy {name} to models/Lora and write <lora:{stem}:1>{on}.{write}")
    yield Use("ComfyUI", f"Copy {name} to models/loras and put Load LoRA behind Load Checkpoint{on}.{write}")
    yield _diffusers(f'pipe.load_lora_weights("{path}")', write)


def _diffusers(call: str, write: str) -> Use:
    code = call if call.startswith("pipe.") else f"pipe = {call}"
    return Use("Diffusers", write.strip(), code)


def _write(prompts: Sequence[str]) -> str:
    return f" In your prompt: {' or '.join(prompts)}." if prompts else ""
