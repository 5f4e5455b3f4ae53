"""Which share of a device's bf16 peak a training uses: operations by torch's counter, the peak by a product."""

import time
from functools import cache

import torch
from bench_model import flops_of_a_step

from trainer_core.config.schema import Config
from trainer_core.models.configs import read_configs
from trainer_core.models.family import Component

PUBLISHED_TFLOPS = {
    "H200": 989.0,
    "H100 80GB HBM3": 989.0,
    "H100 PCIe": 756.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Dense bf16 products with float32 sums, in 10^12 operations a second, by the vendor's data sheets."""
_SIDE = 8192


def published_peak(name: str) -> float | None:
    """Return the published operations a second of a device by its name, None where it is not in the list."""
    found = [tera for part, tera in PUBLISHED_TFLOPS.items() if part in name]
    return found[0] * 1e12 if found else None


def measured_peak(device: torch.device, *, side: int = _SIDE, repeats: int = 20) -> float:
    """Return the operations a second of a product of two bf16 matrices, side x side."""
    one, other = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        one @ other
    started = _now(device)
    for _ in range(repeats):
        one @ other
    return 2 * side**3 * repeats / (_now(device) - started)


def flops_of_a_picture(config: Config) -> float:
    """Return the operations that a picture costs in a step of a published model with cached latents.

    Forward and backward, as if nothing was computed twice: what checkpointing repeats is not counted as work done.
    A LoRA's backward pass leaves out the gradients of the frozen weights, a third of all.
    """
    parts = _flops("sd2-base" if config.model.family == "sd2" else "sd1", config.dataset.resolution[0])
    total = parts["unet"] + (parts["text_encoder"] if config.text_encoder.train else 0.0)
    return total * (2 / 3 if config.method.train == "lora" else 1)


@cache
def _flops(name: str, side: int) -> dict[Component, float]:
    """Counting takes some seconds."""
    return flops_of_a_step(read_configs(name), side)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
