"""The ladder of `memory.auto`: what a training gives up by itself where not even a single picture fits.

Only what leaves the learning as it is, but for the last digits, is on it: it costs time alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer_core.train.attention import set_attention
from trainer_core.train.job import Job
from trainer_core.train.trained import checkpoint_gradients
from trainer_core.train.update import TensorUpdate


class SteppedDownError(Exception):
    """Less memory is needed from now on; the step is to begin anew."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to need less memory.

    Attributes:
        change: the setting of [memory], and its value.
        helps: whether it is possible and not done yet.
        do: does it to the model.
        price: what it costs.
    """

    change: tuple[str, Any]
    helps: Callable[[Job], bool]
    do: Callable[[Job], None]
    price: str


def step_down(job: Job) -> str | None:
    """Take the next rung; return what to tell of it, None where there is no further one."""
    for rung in _RUNGS:
        if rung.helps(job):
            rung.do(job)
            name, value = rung.change
            job.config = job.config.model_copy(
                update={"memory": job.config.memory.model_copy(update={name: value})}
            )
            shown = "true" if value is True else f'"{value}"'
            return f"memory.{name} = {shown} from now on (memory.auto): {rung.price}"
    return None


def _keeps_activations(job: Job) -> bool:
    return not job.config.memory.gradient_checkpointing


def _checkpoint(job: Job) -> None:
    checkpoint_gradients(job.model, text_encoder=job.conditioning.trained)


def _can_fuse(job: Job) -> bool:
    """A LoRA's gradients are too small to matter; several processes need all gradients, to add them up."""
    config = job.config
    is_possible = isinstance(job.optimizer, TensorUpdate) and config.train.gradient_accumulation == 1
    return (
        job.world.is_alone and is_possible and config.method.train == "full" and not config.memory.fused_backward
    )


_RUNGS = (
    Rung(
        ("gradient_checkpointing", True),
        _keeps_activations,
        _checkpoint,
        "activations are computed twice, which takes about a third longer and learns the same",
    ),
    Rung(
        ("fused_backward", True),
        _can_fuse,
        lambda job: None,  # the next step begins with it
        "weights are updated inside the backward pass, which learns the same; where gradients are clipped it "
        "takes a second one",
    ),
    Rung(
        ("attention", "sliced"),
        lambda job: job.config.memory.attention != "sliced",
        lambda job: set_attention(job.model.unet, "sliced", job.device),
        "attention is computed in slices, which is slow and learns the same",
    ),
)
