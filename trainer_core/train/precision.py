"""In which types the weights are kept and the forward pass computed, and what a device refuses."""

from dataclasses import dataclass

import torch

from trainer_core.config.schema import Memory
from trainer_core.errors import ExitCode, UserError

_TYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Precision:
    """What `memory` asks for, in torch's terms.

    Attributes:
        weights: type of the trained weights and their gradients.
        compute: type of the forward pass under autocast; float32 means no autocast.
        scaled: whether the loss is scaled against underflow (fp16).
        base: type of the U-Net's and the text encoder's own weights, which may be frozen beside a LoRA.
    """

    weights: torch.dtype
    compute: torch.dtype
    scaled: bool
    base: torch.dtype

    @staticmethod
    def of(memory: Memory, device: torch.device, *, frozen_base: bool = False) -> "Precision":
        """Return the precision that `memory` asks for, or raise UserError(CONFIG) if `device` lacks it."""
        precision = Precision.asked_for(memory, frozen_base=frozen_base)
        if precision.compute is torch.float16 and device.type == "cpu":
            raise UserError(
                'memory.mixed_precision = "fp16" needs a GPU; on a CPU use "bf16" or "no".', ExitCode.CONFIG
            )
        if (
            precision.compute is torch.bfloat16
            and device.type == "cuda"
            and not torch.cuda.is_bf16_supported(including_emulation=False)
        ):
            raise UserError(
                'memory.mixed_precision = "bf16" is not possible on this GPU; use "fp16".', ExitCode.CONFIG
            )
        return precision

    @staticmethod
    def asked_for(memory: Memory, *, frozen_base: bool) -> "Precision":
        """Return the precision that `memory` asks for, whatever the device.

        A frozen base needs no more precision than the forward pass has.
        """
        compute = _TYPES[memory.mixed_precision]
        weights = compute if memory.full_fp16 or memory.full_bf16 else torch.float32
        return Precision(
            weights=weights,
            compute=compute,
            scaled=compute is torch.float16,
            base=compute if frozen_base else weights,
        )

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context of every forward pass.

        Its cache of weights in 16 bits is off: a pass uses each weight once, and the copies would lie beside the
        weights until it ends (1.8 GiB for SD 1.x), also where checkpointing keeps nothing else.
        """
        enabled = self.compute is not torch.float32
        dtype = self.compute if enabled else None
        return torch.autocast(device.type, dtype=dtype, enabled=enabled, cache_enabled=False)
