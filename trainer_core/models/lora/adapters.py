"""The adapters beside a model's weights: y = W x + alpha / rank * up(down(x)) (Hu et al. 2021, section 4.1).

They act through forward hooks, so that the model's own modules, and the names in them, stay what they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn import functional as F

from trainer_core.models.lora.inspect import ALPHA, DOWN, UP
from trainer_core.models.lora.places import Part, Place

_SEEDS = 2**63


@dataclass(frozen=True, slots=True)
class Dropout:
    """What is left out at random while training, each a share from 0 to below 1.

    Attributes:
        values: of the numbers between the two matrices; the rest is scaled up.
        ranks: of the ranks, for each sample; the rest is scaled up.
        adapters: of whole adapters, for each forward pass.
    """

    values: float = 0.0
    ranks: float = 0.0
    adapters: float = 0.0

    @property
    def is_on(self) -> bool:
        """Whether anything is left out."""
        return bool(self.values or self.ranks or self.adapters)


class Adapter:
    """The two matrices at one place.

    Attributes:
        down: [rank, in] beside a Linear, [rank, in, k, k] beside a convolution.
        up: [out, rank] or [out, rank, 1, 1].
        alpha: the change is scaled by alpha / rank.
    """

    def __init__(self, place: Place, down: Tensor, up: Tensor, alpha: float) -> None:
        self.place = place
        self.down = Parameter(down)
        self.up = Parameter(up)
        self.alpha = alpha

    @property
    def rank(self) -> int:
        """The rank."""
        return len(self.down)

    @property
    def scale(self) -> float:
        """Factor of the change."""
        return self.alpha / self.rank

    def parameters(self) -> dict[str, Parameter]:
        """Return both matrices by what a file calls them."""
        return {self.place.key + DOWN: self.down, self.place.key + UP: self.up}

    def tensors(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return what a file holds of it, on the CPU; alpha stays float32."""
        pair = {name: value.detach().to("cpu", dtype) for name, value in self.parameters().items()}
        return {**pair, self.place.key + ALPHA: torch.tensor(self.alpha, dtype=torch.float32)}

    def change(self) -> Tensor:
        """Return what it adds to the weight, in the weight's shape, float32."""
        flat = self.up.detach().float().flatten(1) @ self.down.detach().float().flatten(1)
        return (flat * self.scale).view(len(self.up), *self.down.shape[1:])

    @torch.no_grad()
    def limit_norm(self, most: float) -> None:
        """Scale both matrices alike where the Frobenius norm of `change` exceeds `most`; no host sync.

        |up down|^2 = trace((up^T up)(down down^T)), so the large product is never formed.
        """
        up, down = self.up.float().flatten(1), self.down.float().flatten(1)
        norm = ((up.T @ up) * (down @ down.T)).sum().clamp_min(0).sqrt() * self.scale
        share = (most / norm.clamp_min(most)).sqrt()
        self.up.mul_(share.to(self.up.dtype))
        self.down.mul_(share.to(self.down.dtype))


class Adapters:
    """All adapters of a model, hooked onto its modules.

    Attributes:
        adapters: in the order of the field's list, the U-Net's first.
        dropout: what is left out while a module is in training mode.
        max_norm: the Frobenius norm that the change of an adapter may have, None for any.
    """

    def __init__(self, adapters: list[Adapter], dropout: Dropout, max_norm: float | None = None) -> None:
        self.adapters = adapters
        self.dropout = dropout
        self.max_norm = max_norm
        self._hooks: list[Any] = []
        self._generator: torch.Generator | None = None
        self._seed = 0
        self._left_out = [False] * len(adapters)
        self._part: tuple[slice, int] | None = None

    def of(self, part: Part) -> list[Adapter]:
        """Return the adapters of one part of the model."""
        return [adapter for adapter in self.adapters if adapter.place.part == part]

    def attach(self, modules: dict[Place, nn.Module]) -> None:
        """Let every adapter act on its module from now on."""
        for number, adapter in enumerate(self.adapters):
            hook = self._hook(number, adapter)
            self._hooks.append(modules[adapter.place].register_forward_hook(hook))

    def detach(self) -> None:
        """Leave the model as it was."""
        while self._hooks:
            self._hooks.pop().remove()

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move every matrix; to be called before an optimizer holds them."""
        for parameter in self._parameters():
            parameter.data = parameter.data.to(device, dtype)

    def reseed(self, seed: int) -> None:
        """Let `seed` decide what the next forward passes leave out; free where nothing is."""
        if not self.dropout.is_on:
            return
        self._seed, self._part = seed, None
        if self.dropout.adapters:
            chances = torch.rand(len(self.adapters), generator=torch.Generator().manual_seed(seed))
            self._left_out = (chances < self.dropout.adapters).tolist()

    def narrow(self, rows: slice, count: int) -> None:
        """Let the U-Net's next passes compute these rows of a batch of `count`, and leave out what is theirs."""
        self._part = rows, count

    def limit_norms(self) -> None:
        """Scale down the adapters in training whose change has a norm above `max_norm`."""
        if self.max_norm is not None:
            for adapter in self.adapters:
                if adapter.up.requires_grad:
                    adapter.limit_norm(self.max_norm)

    def _parameters(self) -> Iterator[Parameter]:
        for adapter in self.adapters:
            yield from (adapter.down, adapter.up)

    def _hook(self, number: int, adapter: Adapter) -> Any:
        def add_change(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            inner = _down(module, inputs[0], adapter.down) * adapter.scale
            if module.training and self.dropout.is_on:
                inner = self._drop(number, inner)
            return output + _up(inner, adapter.up)

        return add_change

    def _drop(self, number: int, inner: Tensor) -> Tensor:
        """Leave out of `inner` what the seed says: the same again where checkpointing computes a pass twice."""
        if self._left_out[number]:
            return inner * 0.0  # its weights then get a gradient of zero
        generator = self._generator_on(inner.device)
        generator.manual_seed((self._seed + number) % _SEEDS)
        rates, part = self.dropout, self._part if self.adapters[number].place.part == "unet" else None
        if rates.values:
            inner = inner * _kept(inner.shape, inner, rates.values, generator, part)
        if rates.ranks:
            by_rank = (*inner.shape[:2], 1, 1) if inner.dim() == 4 else _by_rank(inner)
            inner = inner * _kept(by_rank, inner, rates.ranks, generator, part)
        return inner

    def _generator_on(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator


def _by_rank(inner: Tensor) -> tuple[int, ...]:
    """Return the shape of one chance for each sample and rank of a Linear's [B, ..., rank]."""
    return (len(inner), *(1 for _ in inner.shape[1:-1]), inner.shape[-1])


def _kept(
    shape: tuple[int, ...], like: Tensor, rate: float, generator: torch.Generator, part: tuple[slice, int] | None
) -> Tensor:
    """Return what each number is multiplied with; in a part of a batch, what it is in the whole."""
    rows, count = part or (slice(None), shape[0])
    chances = torch.rand((count, *shape[1:]), generator=generator, device=like.device)[rows]
    return (chances >= rate).to(like.dtype) / (1 - rate)


def _down(module: nn.Module, inputs: Tensor, weight: Tensor) -> Tensor:
    if isinstance(module, nn.Conv2d):
        return F.conv2d(inputs, weight, stride=module.stride, padding=module.padding)
    return F.linear(inputs, weight)


def _up(inner: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(inner, weight) if weight.dim() == 4 else F.linear(inner, weight)
