"""Questions about this machine whose answers take loading the large libraries; each is for a process of its own.

    python -c "from trainer_core.probe import main; main()" torch

prints one line of JSON after `MARK`; a broken native library ends that process and nobody else's.
"""

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

MARK = "dbtui-probe:"
LIBRARIES = {
    "diffusers": ("UNet2DConditionModel", "AutoencoderKL", "StableDiffusionPipeline"),
    "transformers": ("CLIPTextModel", "Adafactor"),
    "accelerate": ("PartialState",),
    "prodigyopt": ("Prodigy",),
    "schedulefree": ("AdamWScheduleFree",),
}
"""What of each library the trainer uses."""

_TRIED_NUMBERS = 8192  # bitsandbytes keeps 8-bit state only for tensors of at least 4096 numbers


def main() -> None:
    """Answer the question named by the last word of the command line, on stdout."""
    from trainer_core.models.quiet import quiet_imports

    quiet_imports()
    answer = QUESTIONS[sys.argv[-1]]()
    sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()


def ask_gpus() -> dict[str, Any]:
    """What the driver says of each GPU: name, driver, memory in GiB; or why it says nothing. No torch.

    `first` is the number of the one that a run trains on, None if CUDA_VISIBLE_DEVICES hides them all.
    """
    from trainer_core.run.machine import first_visible, read_gpu

    try:
        import pynvml  # type: ignore[import-untyped,unused-ignore]

        pynvml.nvmlInit()
        count = int(pynvml.nvmlDeviceGetCount())
    except Exception as error:  # noqa: BLE001 - no driver, no library, a driver of another version
        return {"gpus": [], "first": None, "error": f"{type(error).__name__}: {error}"}
    readings = [read_gpu(str(index)) for index in range(count)]
    return {
        "error": None,
        "first": first_visible(pynvml),
        "gpus": [
            {
                "name": reading.name,
                "driver": reading.driver,
                "vram_gb": reading.vram_total_gb,
                "used_gb": reading.vram_used_gb,
                "capability": reading.capability,
            }
            for reading in readings
            if reading
        ],
    }


def ask_torch() -> dict[str, Any]:
    """Which build of torch this is, which GPU it sees, and whether a kernel runs there."""
    import torch

    facts: dict[str, Any] = {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "threads": torch.get_num_threads(),
        "gpu": None,
        "error": None,
    }
    try:
        if torch.cuda.is_available():
            facts["gpu"] = _cuda_device()
        elif facts["cuda"]:
            torch.cuda.init()  # says why there is none
    except Exception as error:  # noqa: BLE001 - drivers fail in any way
        facts["error"] = f"{type(error).__name__}: {error}"
    return facts


def _cuda_device() -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(0)
    device: dict[str, Any] = {
        "name": properties.name,
        "capability": [properties.major, properties.minor],
        "architectures": torch.cuda.get_arch_list(),
        "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
        "problem": None,
    }
    try:
        square = torch.eye(64, device="cuda") @ torch.eye(64, device="cuda")
        if float(square.sum()) != 64:
            device["problem"] = "its results are wrong"
    except Exception as error:  # noqa: BLE001 - a build without code for this GPU, a GPU in use by another
        device["problem"] = f"{type(error).__name__}: {error}"
    return device


def ask_bitsandbytes() -> dict[str, Any]:
    """Whether an 8-bit step moves weights as Adam's first one should: by the rate, against the gradient."""
    import torch
    from torch.nn import Parameter

    from trainer_core.config.schema import Optimizer
    from trainer_core.errors import UserError
    from trainer_core.train.optimizers import make_optimizer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = torch.Generator().manual_seed(0)
    weight = Parameter(torch.randn(_TRIED_NUMBERS, generator=generator).to(device))
    weight.grad = torch.randn(_TRIED_NUMBERS, generator=generator).sign().to(device)
    before, rate = weight.detach().clone(), 1e-2
    try:
        settings = Optimizer(type="adamw8bit", learning_rate=rate, weight_decay=0)
        optimizer = make_optimizer([[weight]], settings, exact_skip=False)
        off, on = torch.zeros((), dtype=torch.bool, device=device), torch.ones((), device=device)
        optimizer.step([rate], on, off, seed=0)
    except UserError as error:
        return {"device": device.type, "problem": str(error.__cause__ or error)}
    except Exception as error:  # noqa: BLE001 - a native library fails in any way
        return {"device": device.type, "problem": f"{type(error).__name__}: {error}"}
    moved = float(((before - weight.detach()) * weight.grad).mean()) / rate
    right = 0.9 < moved < 1.1
    return {
        "device": device.type,
        "problem": None if right else f"a step moves weights by {moved:.2f} of what it should",
    }


def ask_xformers() -> dict[str, Any]:
    """Whether xformers computes attention as torch does, on the GPU."""
    import torch

    from trainer_core.train.attention import xformers_problem

    has_gpu = torch.cuda.is_available()
    return {"gpu": has_gpu, "problem": xformers_problem(torch.device("cuda" if has_gpu else "cpu"))}


def ask_libraries() -> dict[str, Any]:
    """For each of `LIBRARIES`, why what the trainer needs of it cannot be imported; None if it can."""
    return {library: _why_not_importable(library, names) for library, names in LIBRARIES.items()}


def _why_not_importable(library: str, names: tuple[str, ...]) -> str | None:
    try:
        module = importlib.import_module(library)
        for name in names:
            getattr(module, name)
    except Exception as error:  # noqa: BLE001 - an import runs anyone's code
        return f"{type(error).__name__}: {error}"
    return None


QUESTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "gpus": ask_gpus,
    "torch": ask_torch,
    "bitsandbytes": ask_bitsandbytes,
    "xformers": ask_xformers,
    "libraries": ask_libraries,
}
