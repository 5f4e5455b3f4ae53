"""Rules between the settings of speed and what they cannot speed up."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config, Network

_DROPOUTS = ("dropout", "rank_dropout", "module_dropout")


def has_dropout(network: Network) -> bool:
    """Tell whether adapters leave something out at random."""
    return any(getattr(network, name) for name in _DROPOUTS)


def _compile(config: Config) -> Iterator[str]:
    """What an adapter leaves out is seeded anew at each place, which takes a compiled block to pieces."""
    if config.train.compile == "on":
        for name in _DROPOUTS:
            if getattr(config.network, name):
                yield (
                    f'network.{name} is drawn outside of compiled code, and train.compile = "on" would be slower'
                    " than without; remove one of them"
                )


SPEED_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (("train.compile", *(f"network.{name}" for name in _DROPOUTS)), _compile),
)
