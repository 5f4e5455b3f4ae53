"""Batches on the device: what the loop takes its pictures from, loaded ahead of it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer_core.data.order import Draw, TrainingOrder
from trainer_core.data.share import WHOLE, Part, Share
from trainer_core.data.stand_ins import LostPictureError, StandIns

Fetch = Callable[[Draw], tuple[Tensor, ...]]
"""Loads what one sample needs: (mean, std) of its latents, or (pixels,)."""
Loaded = tuple[Draw, tuple[Tensor, ...]]
"""What a sample became: another item may stand in for one whose file is lost."""
Caption = Callable[[Draw], str]
"""Returns the text that one sample is trained with."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The tensors of one forward pass, on the device.

    Attributes:
        items: index of each sample's item.
        captions: the text of each sample.
        tensors: (mean, std), each [B, 4, h, w], or (pixels [B, 3, H, W],); with a `part`, of its rows alone.
        part: what this process computes of it, where several share it.
    """

    items: tuple[int, ...]
    captions: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    part: Part | None = None

    @property
    def size(self) -> int:
        """Samples that go through the model here."""
        return self.part.size if self.part else len(self.items)


class BatchLoader:
    """Loads the batches of each step; with `ahead` threads, those of the next step while this one is computed.

    These are threads of this process. What goes wrong in one is raised by `step`, in the thread that trains.
    """

    def __init__(
        self,
        order: TrainingOrder,
        fetch: Fetch,
        caption: Caption,
        device: torch.device,
        *,
        ahead: int,
        last: int,
        stand_ins: StandIns | None = None,
        share: Share = WHOLE,
    ) -> None:
        self.order = order
        self.fetch = fetch
        self.caption = caption
        self.device = device
        self.last = last
        self.stand_ins = stand_ins
        self.share = share
        self.executor = ThreadPoolExecutor(ahead, thread_name_prefix="batches") if ahead else None
        self.waiting: dict[int, list[list[Future[Loaded]]]] = {}

    def step(self, step: int) -> list[Batch]:
        """Return the batches of optimizer step `step` (from 0)."""
        if self.executor is None:
            return [
                self._collate(draws, [self._load(draw) for draw in self._own(draws)])
                for draws in self._draws(step)
            ]
        self._request(step)
        if step + 1 < self.last:
            self._request(step + 1)
        return [
            self._collate(draws, [future.result() for future in futures])
            for draws, futures in zip(self._draws(step), self.waiting.pop(step), strict=True)
        ]

    def close(self) -> None:
        """Stop the threads; what was requested is dropped."""
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)

    def _request(self, step: int) -> None:
        if step not in self.waiting and self.executor is not None:
            submit = self.executor.submit
            self.waiting[step] = [
                [submit(self._load, draw) for draw in self._own(draws)] for draws in self._draws(step)
            ]

    def _own(self, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
        """Return the samples that are computed here."""
        part = self.share.of(len(draws))
        return draws[part.rows] if part else draws

    def _load(self, draw: Draw) -> Loaded:
        """Load a sample, or the one that stands in for it."""
        while True:
            try:
                return draw, self.fetch(draw)
            except LostPictureError as error:
                if self.stand_ins is None:
                    raise
                draw = replace(draw, item=self.stand_ins.instead_of(draw.item, error))

    def _draws(self, step: int) -> list[tuple[Draw, ...]]:
        return [self.order.draws(step, number, micro) for number, micro in enumerate(self.order.step(step))]

    def _collate(self, draws: tuple[Draw, ...], loaded: list[Loaded]) -> Batch:
        part = self.share.of(len(draws))
        own, rows = zip(*loaded, strict=True)
        columns = [self._stack(column) for column in zip(*rows, strict=True)]
        draws = (*draws[: part.rows.start], *own, *draws[part.rows.stop :]) if part else own
        return Batch(
            items=tuple(draw.item for draw in draws),
            captions=tuple(self.caption(draw) for draw in draws),
            tensors=tuple(column.to(self.device, non_blocking=True) for column in columns),
            part=part,
        )

    def _stack(self, rows: tuple[Tensor, ...]) -> Tensor:
        """Stack into pinned memory where a GPU will copy it; torch gives the same block again once it is free."""
        shape, is_copied = (len(rows), *rows[0].shape), self.device.type == "cuda"
        return torch.stack(rows, out=torch.empty(shape, dtype=rows[0].dtype, pin_memory=is_copied))
