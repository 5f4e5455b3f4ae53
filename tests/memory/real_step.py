"""Steps predicted, then done with real tensors: what the process's memory rises by. A program of its own.

    python tests/memory/real_step.py '[{"channels": [64, ...], "side": 256, "settings": {...}}, ...]'

The step is the same code; what is measured is the kernel's count of the process's pages, which knows nothing of
tensors. The start is taken once every library is loaded and its threads are warm: a tiny model did a step before.
"""

import ctypes
import gc
import json
import sys
from pathlib import Path
from typing import Any

import torch

from trainer_core.config.schema import Config
from trainer_core.memory.rehearsal import Rehearsal, without_memory
from trainer_core.models.configs import read_configs

STATUS = Path("/proc/self/status")


def main() -> None:
    torch.set_num_threads(1)
    requests = json.loads(sys.argv[1])
    warm_up = Config.model_validate({"schema": 1, **requests[0]["settings"]})
    real(warm_up, read_configs("tiny-sd1"), (64, 64)).step()
    print(json.dumps([held_against_each_other(request) for request in requests]))


def held_against_each_other(request: dict[str, Any]) -> dict[str, int]:
    config = Config.model_validate({"schema": 1, **request["settings"]})
    configs = read_configs("sd1")
    for part in ("vae", "text_encoder"):  # neither is on the device in these steps
        configs[part] = read_configs("tiny-sd1")[part]
    configs["unet"] |= {
        "block_out_channels": request["channels"],
        "layers_per_block": request["depth"],
        "cross_attention_dim": configs["text_encoder"]["hidden_size"],
    }
    size = (request["side"], request["side"])
    with without_memory():
        predicted = Rehearsal(config, "sd1", "epsilon", configs, size).step()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    start = pages("VmRSS")
    rehearsal = real(config, configs, size)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    rehearsal.step()
    return {"predicted": max(peak.total for peak in predicted.values()), "measured": pages("VmHWM") - start}


def real(config: Config, configs: dict[str, Any], size: tuple[int, int]) -> Rehearsal:
    """Return the same with tensors that have memory."""
    return Rehearsal(config, "sd1", "epsilon", configs, size, make=lambda shape: torch.full(shape, 0.01))


def pages(name: str) -> int:
    """Return a line of the process's status in bytes: resident now, or at most."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
