"""From captions to what the U-Net is conditioned on."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Conditioning:
    """The text encoder's output for each item's caption.

    While the text encoder is trained, the different captions of a batch are encoded at every step; while it is
    frozen, each is encoded once, before the first step.

    Attributes:
        token_ids: [N, 77] on the device, one row per different caption.
        row: for each item, the row of its caption.
        embeddings: [N, 77, D] where the text encoder is frozen, else None.
    """

    def __init__(
        self,
        model: Any,
        captions: Sequence[str],
        device: torch.device,
        *,
        clip_skip: int | None,
        trained: bool,
        autocast: torch.autocast,
    ) -> None:
        different = list(dict.fromkeys(captions))
        rows = {caption: index for index, caption in enumerate(different)}
        self.model = model
        self.clip_skip = clip_skip
        self.row = [rows[caption] for caption in captions]
        self.token_ids = torch.tensor(model.family.tokenize(different), device=device)
        self.embeddings: Tensor | None = None
        if not trained:
            with torch.no_grad(), autocast:
                self.embeddings = torch.cat([self._encode(ids[None]) for ids in self.token_ids])

    def __call__(self, items: Sequence[int]) -> Tensor:
        """Return [B, 77, D] for the captions of `items`."""
        rows = [self.row[item] for item in items]
        if self.embeddings is not None:
            return torch.stack([self.embeddings[row] for row in rows])
        different = list(dict.fromkeys(rows))  # pictures share captions, and the encoder is a large part of a step
        hidden = self._encode(torch.stack([self.token_ids[row] for row in different]))
        return torch.stack([hidden[different.index(row)] for row in rows])

    def _encode(self, token_ids: Tensor) -> Tensor:
        hidden: Tensor = self.model.family.encode(self.model.text_encoder, token_ids, self.clip_skip)
        return hidden
