"""FSDP: each of several processes keeps a part of every trained weight, its gradient and its optimizer state.

torch's `fully_shard` brings the weights of a block together while it computes, and adds up its gradients into
parts (Zhao et al. 2023, PyTorch FSDP; Rajbhandari et al. 2020, ZeRO 3). The rest of the training sees plain
tensors, this process's parts: optimizers, averages and norms know no more. What needs whole weights is done
by the first process, in modules of its own; the others take part in bringing them together (train/beside.py).
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import pad

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.family import Component
from trainer_core.train.checkpoint import Checkpoint
from trainer_core.train.out_of_memory import is_out_of_memory
from trainer_core.train.trained import Group
from trainer_core.train.world import KEPT_WEIGHTS, WHOLE_STATE, World, buckets

_BLOCKS = ("resnets", "attentions", "downsamplers", "upsamplers", "layers")
"""Lists of modules in diffusers' U-Nets and CLIP: the weights of one entry are together on a device at a time."""

_NEEDED = ("set_gradient_divide_factor", "set_force_sum_reduction_for_comms")
"""What the first versions of `fully_shard` did not have."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One trained weight.

    Attributes:
        whole: torch's parameter (a DTensor) in the module.
        part: this process's rows of it, of the same memory: what the training changes.
        shape: that of the whole weight.
    """

    whole: Parameter
    part: Parameter
    shape: torch.Size


class Sharded:
    """The trained modules of a model, cut over the processes of a run.

    Attributes:
        groups: what is trained, this process's parts.
    """

    def __init__(self, model: Any, groups: list[Group], device: torch.device, world: World) -> None:
        """Cut the modules, whose weights lie in main memory and become the first process's everywhere."""
        from torch.distributed.device_mesh import init_device_mesh

        self.model, self.world = model, world
        self.mesh = init_device_mesh(device.type, (world.share.processes,))
        self.modules = {cast(Component, group.component): model.module(group.component) for group in groups}
        self._blanks = {component: _blank(module) for component, module in self.modules.items()}
        self.cuts: dict[str, Cut] = {}
        self.groups = [self._cut(group, device) for group in groups]

    def _cut(self, group: Group, device: torch.device) -> Group:
        module, names = self.modules[cast(Component, group.component)], list(group.parameters)
        weights = list(module.parameters())
        self.world.same_everywhere(weights, device)
        shapes = [weight.shape for weight in weights]
        _fully_shard(module, self.mesh)
        for buffer in module.buffers():  # those that belong to no block
            buffer.data = buffer.data.to(device)
        for name, whole, shape in zip(names, module.parameters(), shapes, strict=True):
            self.cuts[name] = Cut(whole, Parameter(cast(Any, whole).to_local().detach()), shape)
        return replace(group, parameters={name: self.cuts[name].part for name in names})

    def holds(self, module: Any) -> bool:
        """Tell whether a module of the model is one that was cut."""
        return any(module is each for each in self.modules.values())

    def take_gradients(self) -> None:
        """Give each part its gradient, which torch has added up over all processes."""
        for cut in self.cuts.values():
            cut.part.grad = None if cut.whole.grad is None else cast(Any, cut.whole.grad).to_local()
            cut.whole.grad = None

    def norm(self, own: Tensor) -> Tensor:
        """Return the norm of all parts together, where `own` is that of this process's."""
        squares = own.square()
        self.world.add_up(squares)
        return squares.sqrt()

    @contextmanager
    def whole_weights(self, kept: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        """In the first process: let the model have whole modules, in main memory, while it lasts.

        `kept` puts the weights to keep in place of the parts.
        """
        self.world.agree(KEPT_WEIGHTS)
        tensors = self.bring_weights(kept)
        try:
            for component, blank in self._blanks.items():
                setattr(self.model, component, _filled(blank, component, tensors))
            del tensors
            yield
        finally:
            for component, module in self.modules.items():
                setattr(self.model, component, module)

    def bring_weights(self, kept: Callable[[], AbstractContextManager[None]]) -> dict[str, Tensor]:
        """Bring the whole weights together in the first process's main memory; all processes call it at a time."""
        with kept(), _told():
            brought = self._brought([(cut.part, cut) for cut in self.cuts.values()])
            return dict(zip(self.cuts, brought, strict=True))

    def whole_state(self, own: Checkpoint) -> Checkpoint:
        """In the first process: return the state of the whole training, in main memory."""
        self.world.agree(WHOLE_STATE)
        return self.bring_state(own)

    def bring_state(self, own: Checkpoint) -> Checkpoint:
        """Bring all parts of a state together as `bring_weights` does; elsewhere there is nothing in it."""
        parts: list[tuple[Tensor, Cut]] = []

        def noted(part: Tensor, cut: Cut) -> Tensor:
            parts.append((part, cut))
            return part

        self._changed(own, noted, lambda cut: cut.part.shape)
        with _told():
            brought = iter(self._brought(parts))
            return self._changed(own, lambda *_: next(brought), lambda cut: cut.part.shape)

    def own_part(self, whole: Checkpoint) -> Checkpoint:
        """Return this process's part of the state of a whole training; what does not fit stays as it is."""
        return self._changed(whole, lambda tensor, _: self._rows(tensor), lambda cut: cut.shape)

    def _changed(
        self,
        checkpoint: Checkpoint,
        change: Callable[[Tensor, Cut], Tensor],
        of_shape: Callable[[Cut], torch.Size],
    ) -> Checkpoint:
        """Change every tensor of a checkpoint that has a number for each of its weight's, known by its shape."""

        def changed(name: str, value: Any) -> Any:
            cut = self.cuts.get(name)
            is_cut = cut is not None and isinstance(value, Tensor) and value.shape == of_shape(cut)
            return change(value, cut) if cut is not None and is_cut else value

        return replace(
            checkpoint,
            weights={name: changed(name, tensor) for name, tensor in checkpoint.weights.items()},
            optimizer=[
                {key: changed(name, value) for key, value in state.items()}
                for name, state in zip(self.cuts, checkpoint.optimizer, strict=False)
            ],
            average={name: changed(name, tensor) for name, tensor in checkpoint.average.items()},
        )

    def _rows(self, whole: Tensor) -> Tensor:
        """Return this process's rows, as torch deals them: equally many each, the last ones what is left."""
        rows = self._dealt(whole.shape)
        return whole[self.world.share.rank * rows :][:rows]

    def _dealt(self, shape: torch.Size) -> int:
        return -(-shape[0] // self.world.share.processes)

    @torch.no_grad()
    def _brought(self, parts: Sequence[tuple[Tensor, Cut]]) -> list[Tensor]:
        """Return the wholes of tensors of which each process has its rows; empty ones but in the first process."""
        found: list[Tensor] = []
        for some in buckets(parts, lambda each: each[1].shape.numel()):
            sizes = [self._dealt(cut.shape) * cut.shape[1:].numel() for _, cut in some]
            flat = [  # gloo does not know every type of 16 bits
                pad(part.detach().reshape(-1).float(), (0, size - part.numel()))
                for (part, _), size in zip(some, sizes, strict=True)
            ]
            rows = self.world.gather(torch.cat(flat))
            if rows is None:
                found += [part.new_empty(0) for part, _ in some]
                continue
            for (part, cut), numbers in zip(some, rows.split(sizes, dim=1), strict=True):
                whole = numbers.reshape(-1, *cut.shape[1:])[: cut.shape[0]]
                found.append(whole.to("cpu", part.dtype, copy=True))
        return found


def has_fsdp() -> bool:
    """Tell whether torch is new enough to cut modules as it is done here."""
    try:
        from torch.distributed.fsdp import FSDPModule
    except ImportError:
        return False
    return all(hasattr(FSDPModule, name) for name in _NEEDED)


def _fully_shard(module: nn.Module, mesh: Any) -> None:
    """Let torch cut a module, block by block, and add up gradients in float32 without dividing them.

    The loss is weighted by the count of the whole batch already.
    """
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in blocks_of(module):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # transformers knows a model by its class, which torch puts another one in the place of.
    for root in module.children() if hasattr(module, "_can_record_outputs") else [module]:
        fully_shard(root, mesh=mesh, mp_policy=policy)
    for each in module.modules():
        if isinstance(each, FSDPModule):
            each.set_gradient_divide_factor(1.0)
            each.set_force_sum_reduction_for_comms(True)  # gloo does not know another one


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """Return the parts of a module whose weights come together one after the other; the rest comes with all."""
    return [
        block
        for name, blocks in module.named_modules()
        if isinstance(blocks, nn.ModuleList) and name.rpartition(".")[2] in _BLOCKS
        for block in blocks
    ]


def _blank(module: nn.Module) -> nn.Module:
    """Return a copy of `module` without its weights."""
    without = {id(each): Parameter(torch.empty_like(each, device="meta"), False) for each in module.parameters()}
    return copy.deepcopy(module, cast(Any, without))


def _filled(blank: nn.Module, component: str, tensors: dict[str, Tensor]) -> nn.Module:
    """Return a copy of `blank` that has the tensors named after its component."""
    filled, before = copy.deepcopy(blank), f"{component}."
    own = {name.removeprefix(before): each for name, each in tensors.items() if name.startswith(before)}
    filled.load_state_dict(own, strict=False, assign=True)  # buffers, which it keeps, are missing
    return filled


@contextmanager
def _told() -> Iterator[None]:
    """End the training where one process has no memory in the middle of what all do together."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        text = "there was not enough memory to bring the weights of all GPUs together"
        raise UserError(f"{text}; main memory must hold the whole state", ExitCode.OUT_OF_MEMORY) from error
