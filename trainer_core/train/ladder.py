"""The ladder of `memory.auto`: what a training gives up by itself where not even a single picture fits.

Only what leaves the learning as it is, but for the last digits, is on it: it costs time alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer_core.models.bus import CudaBus
from trainer_core.train.attention import set_attention
from trainer_core.train.job import Job, not_for_steps
from trainer_core.train.trained import checkpoint_gradients, stream_weights
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


def _has_elsewhere(job: Job) -> bool:
    """Tell whether there is a main memory besides the device's."""
    return job.bus is not None or job.device.type == "cuda"


def _stream(job: Job) -> None:
    job.bus = job.bus or CudaBus(job.device)


def _stream_weights(job: Job) -> None:
    _stream(job)
    assert job.bus is not None
    stream_weights(job.model, job.bus, job.precision.base, text_encoder=job.config.text_encoder.train)
    for module in (job.model.unet, job.model.text_encoder):
        if module not in not_for_steps(job):
            module.to(job.device)


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
        ("stream_activations", True),
        lambda job: _has_elsewhere(job) and not job.config.memory.stream_activations,
        _stream,
        "what the backward pass needs lies in main memory until then, which takes the time of the way and learns "
        "the same",
    ),
    Rung(
        ("stream_weights", True),
        lambda job: _has_elsewhere(job) and job.adapters is not None and not job.config.memory.stream_weights,
        _stream_weights,
        "the frozen model lies in main memory and comes layer by layer, which takes the time of the way and "
        "learns the same",
    ),
    Rung(
        ("attention", "sliced"),
        lambda job: job.config.memory.attention != "sliced",
        lambda job: set_attention(job.model.unet, "sliced", job.device),
        "attention is computed in slices, which is slow and learns the same",
    ),
)
