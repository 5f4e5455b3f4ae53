"""The GPU: what the driver says of it, and whether this build of torch can use it."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from dbtui.doctor.ask import Answer
from dbtui.doctor.finding import Finding
from dbtui.doctor.software import GET_TORCH

SECTION = "GPU"
SMALLEST_GB = 7.5
"""A card sold with 8 GB has a little less; the smallest presets are made for these."""

_ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)[a-z]*")


def gpu_findings(driver: Answer, torch: Answer) -> Iterator[Finding]:
    """Judge the GPU that a run would train on; `torch` may have failed to load, which is told elsewhere."""
    gpus = (driver.facts or {}).get("gpus", [])
    yield from _driver(driver, gpus)
    if torch.facts is None:
        return
    device = torch.facts["gpu"]
    if device is None:
        yield _unseen(torch.facts, bool(gpus))
        return
    yield _usable(device, is_rocm=bool(torch.facts["hip"]))
    if not device["bf16"]:
        action = 'use memory.mixed_precision = "fp16"'
        yield Finding(SECTION, "bf16", "note", "is not possible on this GPU", action)
    else:
        yield Finding(SECTION, "bf16", "ok", "is possible")


def fits(capability: Sequence[int], architectures: Sequence[str]) -> bool:
    """Tell whether a build of torch has code for a GPU.

    Args:
        capability: the GPU's compute capability, major and minor.
        architectures: as torch lists them: "sm_86" is machine code, which runs on GPUs of the same major version
            and the same or a higher minor one; "compute_90" is translated for every later GPU.
    """
    major, minor = capability
    for name in architectures:
        if found := _ARCHITECTURE.fullmatch(name):
            kind, built = found[1], (int(found[2]), int(found[3]))
            if kind == "sm" and built[0] == major and built[1] <= minor:
                return True
            if kind == "compute" and built <= (major, minor):
                return True
    return False


def _driver(driver: Answer, gpus: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    if driver.facts is None:
        text = f"the driver {driver.failure}; load and temperature will not be shown"
        yield Finding(SECTION, "driver", "note", text, "run nvidia-smi; if it hangs too, restart the machine")
    elif driver.facts["error"] and _has_device_files():
        text = f"there is a GPU, but its driver says nothing: {driver.facts['error']}"
        yield Finding(
            SECTION, "driver", "note", text, "run nvidia-smi; after a driver update, restart the machine"
        )
    for gpu in gpus:
        yield _card(gpu)
    if len(gpus) > 1:
        yield Finding(
            SECTION, "several", "ok", f"{len(gpus)} GPUs; a run trains on one, the first in CUDA_VISIBLE_DEVICES"
        )


def _card(gpu: dict[str, Any]) -> Finding:
    total, used = gpu["vram_gb"], gpu["used_gb"]
    words = [f"driver {gpu['driver'] or 'unknown'}"]
    if total is not None and used is not None:
        words.append(f"{total:.1f} GB, {total - used:.1f} free")
    name = gpu["name"] or "unknown"
    if total is not None and total < SMALLEST_GB:
        action = "try the preset for 8 GB with a smaller dataset.resolution"
        return Finding(SECTION, name, "note", f"{', '.join(words)}: less than any preset was made for", action)
    return Finding(SECTION, name, "ok", ", ".join(words))


def _unseen(torch: dict[str, Any], has_gpu: bool) -> Finding:
    if not has_gpu:
        text = (
            "no NVIDIA GPU was found: training runs on the CPU, which is right for `dbtui demo` and slow for more"
        )
        return Finding(SECTION, "card", "note", text)
    if not torch["cuda"]:
        text = "the GPU cannot be used: torch is a build for " + ("ROCm" if torch["hip"] else "CPUs only")
        return Finding(SECTION, "torch", "problem", text, GET_TORCH)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in {"", "-1"}:
        text = f'the GPU is hidden by CUDA_VISIBLE_DEVICES="{hidden}"'
        return Finding(SECTION, "torch", "problem", text, "unset CUDA_VISIBLE_DEVICES")
    reason = f": {torch['error']}" if torch["error"] else ""
    text = f"torch, built for CUDA {torch['cuda']}, does not see the GPU{reason}"
    return Finding(SECTION, "torch", "problem", text, f"upgrade the driver, or {GET_TORCH}")


def _usable(device: dict[str, Any], *, is_rocm: bool) -> Finding:
    capability = ".".join(str(part) for part in device["capability"])
    if not is_rocm and not fits(device["capability"], device["architectures"]):
        built = " ".join(device["architectures"])
        text = (
            f"this build of torch has no code for {device['name']} (compute capability {capability}), only {built}"
        )
        return Finding(SECTION, "torch", "problem", text, GET_TORCH)
    if device["problem"]:
        text = f"a small computation on {device['name']} fails: {device['problem']}"
        return Finding(SECTION, "torch", "problem", text, "see whether another program uses the GPU (nvidia-smi)")
    return Finding(SECTION, "torch", "ok", f"computes on {device['name']} (compute capability {capability})")


def _has_device_files() -> bool:
    return os.path.exists("/dev/nvidiactl")  # noqa: PTH110
