"""Which kernel computes attention, checked before it is trusted."""

from typing import Any, Literal

import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.quiet import quiet_imports

TOLERANCE = 2e-2
"""Largest difference from torch's attention, in fp16 on numbers of size 1, that a sound build shows."""


def set_attention(unet: Any, kind: Literal["sdpa", "xformers", "sliced"], device: torch.device) -> None:
    """Make `unet` compute attention with `kind`; sdpa is diffusers' default already.

    Raises UserError(CONFIG) where xformers is asked for but missing, on a CPU, or numerically wrong.
    """
    if kind == "sliced":
        heads = [block.sliceable_head_dim for block in unet.modules() if hasattr(block, "sliceable_head_dim")]
        unet.set_attention_slice([max(1, count // 2) for count in heads])  # "auto" divides one head by two
    elif kind == "xformers":
        problem = xformers_problem(device)
        if problem:
            raise UserError(f'memory.attention = "xformers": {problem}. Use "sdpa".', ExitCode.CONFIG)
        unet.enable_xformers_memory_efficient_attention()


def xformers_problem(device: torch.device) -> str | None:
    """Return why xformers cannot be used on `device`, None if it computes attention as torch does.

    A bad build has been seen to return wrong numbers, which makes training a no-op; hence the comparison,
    forward and backward.
    """
    if device.type != "cuda":
        return "it needs a CUDA GPU"
    try:
        quiet_imports()
        from xformers.ops import memory_efficient_attention

        generator = torch.Generator(device).manual_seed(0)
        query, key, value = (
            torch.randn(2, 64, 4, 40, generator=generator, device=device, dtype=torch.float16, requires_grad=True)
            for _ in range(3)
        )
        ours = memory_efficient_attention(query, key, value)
        mine = torch.autograd.grad(ours.float().square().sum(), query)[0]
        reference = torch.nn.functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        ).transpose(1, 2)
        expected = torch.autograd.grad(reference.float().square().sum(), query)[0]
    except Exception as error:  # noqa: BLE001 - a build for another torch fails in any way
        return f"it does not work here ({type(error).__name__}: {error})"
    worst = max(float((ours - reference).abs().max()), float((mine - expected).abs().max()))
    return None if worst < TOLERANCE else f"its results are wrong by {worst:.3g}"
