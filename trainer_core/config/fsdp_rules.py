"""Rules between memory.fsdp and what cannot be done with a part of each weight."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config

NUMBER_BY_NUMBER = ("adamw", "adamw_schedulefree")
"""Optimizers that treat each number of a weight for itself, and their state too."""
_OTHERS = {
    "auto": "changes one GPU's way of computing, and the others would wait for it for ever",
    "fused_backward": "updates a weight before its gradient is added up over all GPUs",
    "stream_activations": "is not made for weights that come and go",
    "stream_state": "moves what is small already: each GPU has its part of the state",
}


def _fsdp(config: Config) -> Iterator[str]:
    if not config.memory.fsdp:
        return
    if config.optimizer.type not in NUMBER_BY_NUMBER:
        yield (
            "memory.fsdp gives each GPU a part of every weight, and"
            f' optimizer.type = "{config.optimizer.type}" needs whole ones; set optimizer.type = "adamw",'
            " or remove memory.fsdp"
        )
    for name, why in _OTHERS.items():
        if getattr(config.memory, name):
            yield f"memory.{name} {why}, so memory.fsdp does without: set it to false, or remove memory.fsdp"
    if config.train.compile == "on":
        yield 'memory.fsdp does not go with train.compile = "on"; set train.compile = "off", or remove memory.fsdp'


FSDP_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (("memory.fsdp", "optimizer.type", *(f"memory.{name}" for name in _OTHERS), "train.compile"), _fsdp),
)
