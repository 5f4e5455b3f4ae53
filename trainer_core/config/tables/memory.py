"""[memory]: precision, and what is traded for memory."""

from typing import Literal

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import AS_FULL, AS_LORA


class Memory(Table):
    """Precision and what is traded for memory."""

    auto: bool = setting(
        False,
        "Where not even a single picture fits: compute activations twice, then update the weights inside the"
        " backward pass, then slice the attention, before the training ends. It says so, and learns the same.",
        group="Memory",
        affects="memory",
        changeable=True,
    )
    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "no", "Precision of the forward pass while the weights stay float32.", group="Memory", affects="memory"
    )
    full_fp16: bool = setting(
        False,
        "Weights and gradients in fp16 too, written with stochastic rounding: least memory, coarser learning.",
        group="Memory",
        affects="memory",
        used_when=UsedWhen("memory.mixed_precision", ("fp16",)),
    )
    full_bf16: bool = setting(
        False,
        "Weights and gradients in bf16 too, written with stochastic rounding.",
        group="Memory",
        affects="memory",
        used_when=UsedWhen("memory.mixed_precision", ("bf16",)),
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute activations twice instead of keeping them: less memory, slower.",
        group="Memory",
        affects="memory",
        changeable=True,
    )
    fused_backward: bool = setting(
        False,
        "Update each weight inside the backward pass, as soon as its gradient is there: gradients never lie in"
        " memory together. Learns the same. optimizer.max_grad_norm above 0 and fp16 cost a second backward pass.",
        group="Memory",
        affects="memory",
        changeable=True,
    )
    base_dtype: Literal["same", "int8", "fp8"] = setting(
        "same",
        "Type in which a LoRA's frozen model lies in memory: that of the forward pass, or 8 bits, which are turned"
        " into it where they are used. The LoRA then learns beside a slightly coarser model.",
        group="Memory",
        affects="loss",
        used_when=AS_LORA,
    )
    stream_weights: bool = setting(
        False,
        "Keep a LoRA's frozen model in main memory and bring each weight to the card just before its layer is"
        " computed, the next one meanwhile. Learns the same. A CPU has nothing to gain by it.",
        group="Memory",
        affects="memory",
        used_when=AS_LORA,
        changeable=True,
    )
    stream_activations: bool = setting(
        False,
        "Keep what the backward pass needs in main memory until then. Learns the same. A CPU has nothing to gain"
        " by it.",
        group="Memory",
        affects="memory",
        changeable=True,
    )
    stream_state: bool = setting(
        False,
        "Keep AdamW's state in main memory; that of each weight comes to the card for its update. Learns the same."
        " A CPU has nothing to gain by it.",
        group="Memory",
        affects="memory",
        used_when=UsedWhen("optimizer.type", ("adamw",)),
        changeable=True,
    )
    fsdp: bool = setting(
        False,
        "Let each of several GPUs keep only its part of the trained weights, of their gradients and of the"
        " optimizer's state (fully sharded data parallel); the weights of a block come together while it computes."
        " Learns the same, but for the rounding of full_bf16 and full_fp16. Needs --gpus.",
        group="Memory",
        affects="memory",
        used_when=AS_FULL,
        changeable=True,
    )
    attention: Literal["sdpa", "xformers", "sliced"] = setting(
        "sdpa",
        "Attention kernel: torch's own, xformers, or slices (least memory, slow).",
        group="Memory",
        affects="memory",
        changeable=True,
    )
