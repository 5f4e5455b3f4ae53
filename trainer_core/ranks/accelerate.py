"""What `accelerate launch` was configured to do, as it tells its processes in the environment. No torch."""

import os
from collections.abc import Iterator, Mapping

from trainer_core.config.schema import Config

_NOT_OURS = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed: use FSDP, which is memory.fsdp = true",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM: use FSDP, which is memory.fsdp = true",
    "FSDP_OFFLOAD_PARAMS": "fsdp_offload_params: leave it out",
    "FSDP_ACTIVATION_CHECKPOINTING": "fsdp_activation_checkpointing: leave it out, and set"
    " memory.gradient_checkpointing = true",
}
"""What is refused where it is on, and what to do instead."""


def refused_of_accelerate(config: Config, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield what accelerate's configuration asks for and the run does not do."""
    for name, text in _NOT_OURS.items():
        if _is_on(environment, name):
            yield f"accelerate's configuration asks for {text}"
    if not _is_on(environment, "ACCELERATE_USE_FSDP"):
        return
    if not config.memory.fsdp:
        yield (
            "accelerate's configuration asks for FSDP, and the run does not: add --set memory.fsdp=true, or"
            " launch with --multi_gpu instead"
        )
    if environment.get("FSDP_VERSION", "1") != "2":
        yield "accelerate's configuration asks for the first version of FSDP: write fsdp_version: 2"
    if environment.get("FSDP_RESHARD_AFTER_FORWARD", "true").lower() == "false":
        yield (
            "accelerate's configuration asks for whole weights between forward and backward, and memory.fsdp parts"
            " with them: write fsdp_reshard_after_forward: true"
        )


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in {"true", "1"}
