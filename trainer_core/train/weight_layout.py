"""In which order the weights of convolutions lie in memory while they are used."""

import torch

from trainer_core.config.schema import Config
from trainer_core.train.precision import Precision
from trainer_core.train.update_bitsandbytes import CLASSES as OF_BITSANDBYTES


def layout_for(config: Config, device: torch.device, precision: Precision) -> torch.memory_format:
    """Return in which order the U-Net's convolutions have their weights in memory.

    Tensor cores compute in channels_last; cuDNN turns weights in the usual order around at each use.
    bitsandbytes keeps one scale for 256 numbers in the order in which they lie, and checkpoints hold these: in
    another order than when it was saved, a state would be another one. So weights that it trains stay as usual.
    Streamed ones do too: what lies in pinned memory would be copied out of it. So do those that FSDP cuts.
    """
    has_blocks = config.method.train == "full" and config.optimizer.type in OF_BITSANDBYTES
    stays = has_blocks or config.memory.stream_weights or config.memory.fsdp
    is_wanted = device.type == "cuda" and precision.compute is not torch.float32 and not stays
    return torch.channels_last if is_wanted else torch.contiguous_format
