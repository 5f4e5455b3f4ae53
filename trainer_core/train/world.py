"""The processes that train one run together, a device each: what they add up, and what they agree on.

Numbers of a step travel between the devices (NCCL; gloo on CPUs). What the processes agree on between two steps
travels between the hosts (gloo), so that no device waits for it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from trainer_core.data.share import WHOLE, Share
from trainer_core.errors import ExitCode, UserError
from trainer_core.ranks.failures import failure_of_another, lost_without_a_word
from trainer_core.ranks.place import is_one_of_several
from trainer_core.run.directory import RunDirectory
from trainer_core.run.stop_signals import StopRequestedError

WAITING = timedelta(days=7)
"""How long a process waits for the first one, which may be drawing class pictures, saving or uploading."""
_BUCKET = 2**24
"""Numbers that are added up in one go: 64 MiB in float32."""
Thing = TypeVar("Thing")
GOES_ON, PAUSED, SIGNALLED, STOPS, KEPT_WEIGHTS, WHOLE_STATE, PAUSES, RETURNS = range(8)
"""What a process says between two steps; the highest counts. Those after STOPS the first process alone says: it
asks for whole weights (sharded.py), begins a pause, and ends it; while that lasts it says PAUSED."""


@dataclass(frozen=True, slots=True)
class World:
    """This process among those of its run.

    Attributes:
        share: which one it is, of how many.
        run: where a process that failed leaves word; None for the only process.
        hosts: the group in which the hosts talk.
    """

    share: Share = WHOLE
    run: RunDirectory | None = None
    hosts: Any = None

    @property
    def is_alone(self) -> bool:
        """Tell whether this is the only process."""
        return self.share.processes == 1

    def wait(self) -> None:
        """Wait until every process is here."""
        self.agree(GOES_ON)

    def agree(self, word: int) -> int:
        """Return the highest `word` of all processes, once each has said one."""
        if self.is_alone:
            return word
        said = torch.tensor([word])
        with self.together():
            dist.all_reduce(said, dist.ReduceOp.MAX, group=self.hosts)
        return int(said)

    def leave_if_asked(self, should_stop: Callable[[], bool]) -> None:
        """Raise StopRequestedError in every process if one of them was asked to stop."""
        if self.agree(STOPS if should_stop() else GOES_ON) == STOPS:
            raise StopRequestedError

    def add_up(self, numbers: Tensor) -> None:
        """Replace `numbers`, on the device, by the sum over all processes."""
        with self.together():
            dist.all_reduce(numbers)

    def gather(self, numbers: Tensor) -> Tensor | None:
        """Return every process's `numbers`, [n], as rows [processes, n] in the first process; None in the others.

        Every process gives as many.
        """
        rows = [torch.empty_like(numbers) for _ in range(self.share.processes)] if self.share.rank == 0 else None
        with self.together():
            dist.gather(numbers, rows)
        return None if rows is None else torch.stack(rows)

    def add_up_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Replace each gradient by the sum over all processes, computed in float32, the same bits everywhere.

        Every process gives as many, in the same order.
        """
        for some in buckets(gradients, Tensor.numel):
            flat = torch.cat([gradient.reshape(-1).float() for gradient in some])
            self.add_up(flat)
            for gradient, total in zip(some, flat.split([each.numel() for each in some]), strict=True):
                gradient.copy_(total.view_as(gradient))

    def same_everywhere(self, tensors: Sequence[Tensor], device: torch.device | None = None) -> None:
        """Give every process the first one's `tensors`, which lie on `device` or are brought there one by one."""
        if self.is_alone:
            return
        with self.together(), torch.no_grad():
            for tensor in tensors:
                # gloo does not know every type of 16 bits
                held = tensor.detach().to(device or tensor.device, torch.float32).contiguous()
                dist.broadcast(held, 0)
                tensor.copy_(held)

    def exchange(self, count: int, own: Callable[[int], Tensor], keep: Callable[[int, Tensor], None]) -> None:
        """Give every process the tensors that each has a part of: number i of `count` is process i modulo n's.

        Args:
            count: how many there are.
            own: returns one that is this process's, on the CPU, float32, of four dimensions.
            keep: is given each of the others'.
        """
        for number in range(count):
            owner = number % self.share.processes
            is_own = owner == self.share.rank
            tensor = own(number).contiguous() if is_own else torch.empty(0)
            shape = torch.tensor(tensor.shape if is_own else (0, 0, 0, 0))
            with self.together():
                dist.broadcast(shape, owner, group=self.hosts)
                tensor = tensor if is_own else torch.empty(tuple(shape.tolist()))
                dist.broadcast(tensor, owner, group=self.hosts)
            if not is_own:
                keep(number, tensor)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turn a lost connection into what the process at its other end died of."""
        try:
            yield
        except RuntimeError as error:  # DistBackendError is one too
            if self.run is None or not _is_lost_connection(error):
                raise
            raise (failure_of_another(self.run) or lost_without_a_word()) from error


ALONE = World()


def join(run: RunDirectory) -> tuple[World, torch.device]:
    """Meet the other processes, if a launcher started some; return this one's place among them and its device."""
    if not is_one_of_several():
        return ALONE, _only_device()
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        device = torch.device("cpu")
        dist.init_process_group("gloo", timeout=WAITING)
    hosts = dist.new_group(backend="gloo", timeout=WAITING)
    return World(Share(dist.get_rank(), dist.get_world_size()), run, hosts), device


def start_alike(world: World, step: int, weights: Sequence[Tensor]) -> None:
    """See to it that all processes begin after the same step, with the same trained weights."""
    if world.is_alone:
        return
    if (last := world.agree(step)) != step:
        text = (
            f"this process would go on after step {step}, and another after step {last}: is the run's folder the "
        )
        raise UserError(text + "same on every machine?", ExitCode.RESUME)
    world.same_everywhere(weights)


def _is_lost_connection(error: RuntimeError) -> bool:
    """Tell a failed exchange from other errors of a device; gloo's are plain RuntimeErrors."""
    words = str(error).lower()
    return isinstance(error, dist.DistError) or any(word in words for word in ("gloo", "connection", "peer"))


def _only_device() -> torch.device:
    from accelerate import PartialState

    device: torch.device = PartialState().device
    return device


def buckets(things: Sequence[Thing], size: Callable[[Thing], int]) -> Iterator[list[Thing]]:
    """Yield things with tensors in groups of at most `_BUCKET` numbers, or of one that has more."""
    some: list[Thing] = []
    numbers = 0
    for thing in things:
        if some and numbers + size(thing) > _BUCKET:
            yield some
            some, numbers = [], 0
        some.append(thing)
        numbers += size(thing)
    if some:
        yield some
