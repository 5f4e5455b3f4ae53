"""From captions to what the U-Net is conditioned on."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class Conditioning:
    """The text encoder's output for captions.

    While the text encoder is trained, the different captions of a batch are encoded at every step; while it is
    frozen, each is encoded once, before the first step.

    Attributes:
        token_ids: [77] on the device, for each caption met so far.
        embeddings: [77, D] for each caption, where the text encoder is frozen, else None.
    """

    def __init__(
        self,
        model: Any,
        captions: Iterable[str],
        device: torch.device,
        *,
        clip_skip: int | None,
        trained: bool,
        autocast: torch.autocast,
    ) -> None:
        different = list(dict.fromkeys(captions))
        self.model = model
        self.device = device
        self.clip_skip = clip_skip
        ids = torch.tensor(model.family.tokenize(different), device=device)
        self.token_ids: dict[str, Tensor] = dict(zip(different, ids, strict=True))
        self.embeddings: dict[str, Tensor] | None = None
        if not trained:
            with torch.no_grad(), autocast:
                self.embeddings = {caption: self._encode(row[None])[0] for caption, row in self.token_ids.items()}

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """Return [B, 77, D] for the captions of a batch."""
        if self.embeddings is not None:
            return torch.stack([self.embeddings[caption] for caption in captions])
        different = list(dict.fromkeys(captions))  # pictures share captions; encoding is a large part of a step
        hidden = self._encode(torch.stack([self.token_ids[caption] for caption in different]))
        return torch.stack([hidden[different.index(caption)] for caption in captions])

    def _encode(self, token_ids: Tensor) -> Tensor:
        hidden: Tensor = self.model.family.encode(self.model.text_encoder, token_ids, self.clip_skip)
        return hidden
