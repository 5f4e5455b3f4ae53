"""From captions to what the U-Net is conditioned on."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from trainer_core.train.out_of_memory import Portions

TOKENS_KEPT = 4096
"""Texts whose tokens stay on the device; where captions vary, the oldest make room for new ones."""
ENCODED_AT_ONCE = 16
KEPT_ON_DEVICE = 2**28
"""Bytes of cached hidden states up to which they stay on the device; more lie in main memory."""


class Conditioning:
    """The text encoder's output for captions.

    While the text encoder is trained, the different captions of a batch are encoded at every step. Once it is
    frozen no activations are kept, and where the texts are known beforehand, each is encoded once.

    Attributes:
        trained_steps: in how many steps, from the first on, the text encoder is trained.
        trained: whether gradients flow into the text encoder.
        embeddings: [L, D] for each text where they are cached, else None: the text encoder is needed then.
    """

    def __init__(
        self,
        model: Any,
        texts: Sequence[str] | None,
        device: torch.device,
        *,
        clip_skip: int | None,
        trained_steps: int,
        cache: bool,
        autocast: torch.autocast,
    ) -> None:
        """Make ready for `texts`: all that will be asked for, or None if they are made anew at each step.

        `cache` allows keeping the output of a frozen text encoder.
        """
        self.model = model
        self.texts = texts
        self.device = device
        self.clip_skip = clip_skip
        self.trained_steps = trained_steps
        self.trained = trained_steps > 0
        self.autocast = autocast
        self.embeddings: dict[str, Tensor] | None = None
        self._cache = cache and texts is not None
        self._tokens: dict[str, tuple[Tensor, int]] = {}
        self._learn(texts or ())
        if not self.trained:
            self.freeze()

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """Return [B, L, D] for the captions of a batch; L is 77, or what `text_encoder` says of lengths."""
        if self.embeddings is not None:
            return self._cached(captions, self.embeddings)
        different = list(dict.fromkeys(captions))  # pictures share captions; encoding is a large part of a step
        self._learn([text for text in different if text not in self._tokens])
        with nullcontext() if self.trained else torch.no_grad():
            hidden = self._encode(different)
        self._forget()
        return torch.stack([hidden[different.index(caption)] for caption in captions])

    @torch.no_grad()
    def freeze(self) -> None:
        """From now on the text encoder stays as it is: encode what can be cached."""
        self.trained = False
        if not self._cache or self.embeddings is not None or self.texts is None:
            return
        encoded: dict[str, Tensor] = {}
        with self.autocast:
            for some, hidden in Portions(ENCODED_AT_ONCE).of(self.texts, partial(self._encode, full=True)):
                encoded |= dict(zip(some, hidden, strict=True))
        if sum(hidden.nbytes for hidden in encoded.values()) > KEPT_ON_DEVICE:
            encoded = {text: hidden.cpu() for text, hidden in encoded.items()}
        self.embeddings = encoded

    def _cached(self, captions: Sequence[str], embeddings: dict[str, Tensor]) -> Tensor:
        hidden = torch.stack([embeddings[caption] for caption in captions])[:, : self._length(captions)]
        if hidden.device.type == self.device.type:
            return hidden
        return hidden.contiguous().pin_memory().to(self.device, non_blocking=True)

    def _encode(self, texts: Sequence[str], *, full: bool = False) -> Tensor:
        ids = torch.stack([self._tokens[text][0] for text in texts])
        if not full:
            ids = ids[:, : self._length(texts)]
        hidden: Tensor = self.model.family.encode(self.model.text_encoder, ids, self.clip_skip)
        return hidden

    def _length(self, texts: Sequence[str]) -> int:
        """Return how many places the texts of a batch take: those beyond are padding for all of them."""
        return max(self._tokens[text][1] for text in texts)

    def _learn(self, texts: Sequence[str]) -> None:
        """Put the tokens of new texts on the device, in one copy that nothing waits for."""
        if not texts:
            return
        family = self.model.family
        rows = family.text_form.rows(texts, family.pad_token)
        on_host = torch.tensor([row.ids for row in rows], pin_memory=self.device.type == "cuda")
        ids = on_host.to(self.device, non_blocking=True)
        for text, row, token_ids in zip(texts, rows, ids, strict=True):
            self._tokens[text] = (token_ids, row.used)

    def _forget(self) -> None:
        while self.texts is None and len(self._tokens) > TOKENS_KEPT:
            del self._tokens[next(iter(self._tokens))]
