"""The trainers whose commands are understood."""

from collections.abc import Sequence

from dbtui.presets.importing.command import Given
from dbtui.presets.importing.peers import kohya_ss
from dbtui.presets.importing.peers.datasets import DATASETS
from dbtui.presets.importing.peers.diffusers_scripts import TRAIN_DREAMBOOTH, TRAIN_DREAMBOOTH_LORA
from dbtui.presets.importing.peers.extension import EXTENSION
from dbtui.presets.importing.peers.fine_tune import FINE_TUNE
from dbtui.presets.importing.peers.onetrainer import ONETRAINER
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.rules import Peer

PEERS = (TRAIN_DB, TRAIN_NETWORK, TRAIN_DREAMBOOTH, TRAIN_DREAMBOOTH_LORA, FINE_TUNE)

FILES = (kohya_ss.FULL, kohya_ss.LORA, kohya_ss.FINE, DATASETS, ONETRAINER, EXTENSION)
"""Those whose settings are files alone."""


def peer_of(script: str, options: Sequence[Given]) -> Peer | None:
    """Return the trainer of that script; for one with another name, the one that knows most of the options."""
    by_name = next((peer for peer in (*PEERS, *FILES) if script in peer.scripts), None)
    if by_name:
        return by_name
    names = {option.name for option in options}
    best = max(PEERS, key=lambda peer: len(names & (peer.options.keys() | peer.aliases.keys())))
    known = names & (best.options.keys() | best.aliases.keys())
    return best if len(known) * 2 > len(names) else None
