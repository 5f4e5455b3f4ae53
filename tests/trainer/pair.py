"""Trains runs with so many processes each, one run after the other: `python -m tests.trainer.pair 2 RUN...`.

They are started as torchrun and accelerate start them, but share what they import, which costs more than they do.
"""

import os
import socket
import sys
import traceback
from importlib import import_module

_IMPORTED = (
    "torch.distributed.fsdp",
    "torch.distributed.tensor",
    "trainer_core.train.beside",
    "trainer_core.train.run",
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl",
    "transformers.models.clip.modeling_clip",
)


def train(run: str, processes: int) -> int:
    """Return the exit code of the first process, or the highest of the others where the first ended well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free.getsockname()[1]),
            "WORLD_SIZE": str(processes),
        }
    pids = [_forked(run, {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(processes)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return codes[0] or max(codes)


def _forked(run: str, place: dict[str, str]) -> int:
    if pid := os.fork():
        return pid
    try:
        os.environ.update(place)
        import_module("trainer_core.main").main([run])
    except BaseException:  # noqa: BLE001 - nothing of the parent's goes on in the child
        traceback.print_exc()
    os._exit(99)


if __name__ == "__main__":
    import_module("trainer_core.models.lean").lean_imports()
    for name in _IMPORTED:
        import_module(name)
    sys.exit(max(train(run, int(sys.argv[1])) for run in sys.argv[2:]))
