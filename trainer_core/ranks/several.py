"""Several processes for one run, as a command line asks for them: how many GPUs, on how many machines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.accelerate import refused_of_accelerate

ALL = "all"
_ADDRESS = re.compile(r"(?P<host>[^\s:]+|\[[^\s\]]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Several:
    """The processes of a run.

    Attributes:
        gpus: processes on this machine, a GPU each; None for as many as it has.
        nodes: machines.
        node_rank: which of them this is, from 0; the first is the one that writes.
        rendezvous: HOST:PORT of the first machine, where they meet; None for one machine.
    """

    gpus: int | None
    nodes: int = 1
    node_rank: int = 0
    rendezvous: str | None = None

    @property
    def arguments(self) -> list[str]:
        """The same as options of `python -m trainer_core`."""
        words = ["--gpus", ALL if self.gpus is None else str(self.gpus)]
        if self.nodes > 1:
            words += ["--nodes", str(self.nodes), "--node-rank", str(self.node_rank)]
            words += ["--rendezvous", self.rendezvous or ""]
        return words


ONE = Several(1)


def several_of(gpus: str | None, nodes: int, node_rank: int, rendezvous: str | None) -> Several | None:
    """Return what the options ask for, None for one process; UserError(CONFIG) with every problem in them."""
    if problems := list(_problems(gpus, nodes, node_rank, rendezvous)):
        raise UserError(problems, ExitCode.CONFIG)
    count = None if gpus == ALL else int(gpus or 1)
    if count == 1 and nodes == 1:
        return None
    return Several(count, nodes, node_rank, rendezvous)


def refuse_unsuitable(config: Config, several: Several) -> None:
    """Raise UserError(CONFIG) with every setting that does not go with so many processes.

    Where the GPUs were not counted yet there is at least one on each machine.
    """
    processes = (several.gpus or 1) * several.nodes
    problems = [*refused_of_accelerate(config), *_unsuitable(config, processes)]
    if processes == 1 and several.gpus and config.memory.fsdp:
        problems.append(
            "memory.fsdp deals the weights out to several GPUs, and this is one: add --gpus, or remove it"
        )
    if problems:
        raise UserError(problems, ExitCode.CONFIG)


def _problems(gpus: str | None, nodes: int, node_rank: int, rendezvous: str | None) -> Iterator[str]:
    if gpus is not None and gpus != ALL and not (gpus.isascii() and gpus.isdigit() and 1 <= int(gpus) <= 1024):
        yield "--gpus takes a number of GPUs, such as 2, or all"
    if nodes < 1:
        yield "--nodes takes a number of machines, 1 or more"
    elif not 0 <= node_rank < nodes:
        yield f"--node-rank counts the machines from 0: with --nodes {nodes} it is at most {nodes - 1}"
    if nodes > 1 and gpus is None:
        yield "--nodes needs --gpus: the GPUs to use on each machine, such as --gpus all"
    if nodes > 1 and rendezvous is None:
        yield "--nodes needs --rendezvous HOST:PORT: an address of the first machine, and a free port there"
    elif nodes <= 1 and rendezvous is not None:
        yield "--rendezvous is where several machines meet: add --nodes and --node-rank, or remove it"
    if rendezvous is not None and not _is_address(rendezvous):
        yield "--rendezvous takes HOST:PORT, such as 10.0.0.1:29500"


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found["port"]) < 65536


def _unsuitable(config: Config, processes: int) -> Iterator[str]:
    if processes < 2:
        return
    size = config.train.batch_size
    if size < processes:
        yield (
            f"{processes} processes share each batch, and train.batch_size = {size} leaves some without a picture:"
            f" set train.batch_size = {processes} or more, or use fewer GPUs"
        )
    if config.memory.fused_backward:
        yield (
            "memory.fused_backward drops each gradient before several processes could add theirs up: remove it,"
            " or train on one GPU"
        )
