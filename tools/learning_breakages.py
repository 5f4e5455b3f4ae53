"""Bugs that a trainer could have, each put into this one by a patch: what tests/learning has to notice."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from dbtui.demo.world.subject import CLASS, IDENTIFIER
from trainer_core.data.batches import Batch, BatchLoader
from trainer_core.data.caption_texts import CaptionTexts
from trainer_core.train import job, passes
from trainer_core.train.conditioning import Conditioning


@dataclass(frozen=True, slots=True)
class Breakage:
    """A bug.

    Attributes:
        part: what is broken.
        words: how.
        put: puts it in place.
    """

    part: str
    words: str
    put: Callable[[pytest.MonkeyPatch], None]


def _blind(patch: pytest.MonkeyPatch) -> None:
    read = Conditioning.__call__
    patch.setattr(Conditioning, "__call__", lambda self, captions: read(self, [""] * len(captions)))


def _zeros(patch: pytest.MonkeyPatch) -> None:
    read = Conditioning.__call__
    patch.setattr(Conditioning, "__call__", lambda self, captions: torch.zeros_like(read(self, captions)))


def _detached(patch: pytest.MonkeyPatch) -> None:
    read = Conditioning.__call__
    patch.setattr(Conditioning, "__call__", lambda self, captions: read(self, captions).detach())


def _not_updated(patch: pytest.MonkeyPatch) -> None:
    place = job.place_for_training
    patch.setattr(job, "place_for_training", lambda *args: place(*args)[:1])


def _another_picture(patch: pytest.MonkeyPatch) -> None:
    step = BatchLoader.step

    def reversed_(self: BatchLoader, number: int) -> list[Batch]:
        return [replace(each, captions=each.captions[::-1]) for each in step(self, number)]

    patch.setattr(BatchLoader, "step", reversed_)


def _no_prior(patch: pytest.MonkeyPatch) -> None:
    def weights(job: job.Job) -> list[Tensor]:
        return [torch.tensor(0.0 if item.is_class else 1.0) for item in job.samples.items]

    patch.setattr(passes, "_loss_weights", weights)


def _prompt_of(patch: pytest.MonkeyPatch, kind: str, prompt: str) -> None:
    texts = CaptionTexts.of

    def of(self: CaptionTexts, *args: object) -> object:
        found = texts(self, *args)  # type: ignore[arg-type]
        return replace(found, text=prompt) if self._source.kind == kind else found

    patch.setattr(CaptionTexts, "of", of)


BREAKAGES = {
    "none": Breakage("nothing", "", lambda patch: None),
    "blind": Breakage("text encoder", "reads every caption as the empty one", _blind),
    "zeros": Breakage("text encoder", "gives zeros while training", _zeros),
    "detached": Breakage("text encoder", "gets no gradients", _detached),
    "not-updated": Breakage("text encoder", "is not given to the optimizer", _not_updated),
    "another": Breakage("captions", "are those of other pictures of the batch", _another_picture),
    "no-prior": Breakage("prior loss", "weighs nothing", _no_prior),
    "class-as-subject": Breakage(
        "prior loss",
        "learns class pictures by the subject's prompt",
        lambda patch: _prompt_of(patch, "class", f"{IDENTIFIER} {CLASS}"),
    ),
    "no-identifier": Breakage(
        "identifier", "is not in the subject's captions", lambda patch: _prompt_of(patch, "train", CLASS)
    ),
}
