"""A training step, a preview and the encoding of a picture, done by the trainer's own code without any memory.

Tensors are fake (torch's FakeTensorMode): they have a shape and a type and no values, so a full-size model needs
neither a GPU nor gigabytes, and what its step would allocate can be counted.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from trainer_core.config.schema import Config, Prompt
from trainer_core.data.cache import encode
from trainer_core.data.dataset import Size
from trainer_core.memory.eight_bit import StateOnly
from trainer_core.memory.fake_model import Configs, Make, build_fake
from trainer_core.memory.like_cuda import Reads, cuda_autocast
from trainer_core.memory.peak import Peak, Peaks, Phase
from trainer_core.memory.stage import DEVICE, STEPS, Sampler, rehearsed, set_batch, stage
from trainer_core.memory.tracker import Tracker
from trainer_core.models.family import Prediction
from trainer_core.models.sniff import FamilyName
from trainer_core.train.job import Job, not_for_steps
from trainer_core.train.loop import train
from trainer_core.train.optimizers import WeightUpdate, make_optimizer
from trainer_core.train.preview import draw_pixels
from trainer_core.train.update import Groups, ParameterState
from trainer_core.train.update_bitsandbytes import CLASSES, BitsandbytesUpdate

WEIGHTS, GRADIENTS, STATE, AVERAGES = "weights", "gradients", "optimizer state", "moving averages"


class NoUpdate(WeightUpdate):
    """Stands in for an optimizer: it has no state and changes nothing."""

    def __init__(self, groups: Groups, settings: Any, *, exact_skip: bool, bus: Any = None) -> None:
        """Take no note of anything."""

    def step(self, learning_rates: Sequence[float], factor: Tensor, skip: Tensor, seed: int) -> None:
        """Leave the weights as they are."""

    def state(self) -> list[ParameterState]:
        """There is none."""
        return []

    def load(self, states: list[ParameterState]) -> None:
        """There is none."""


@contextmanager
def without_memory() -> Iterator[None]:
    """Let tensors have no memory while it lasts."""
    with FakeTensorMode(), Reads(), cuda_autocast():
        yield


class Rehearsal:
    """A training whose tensors are counted. Build and use it inside `without_memory`.

    Outside it does the same with real tensors on the CPU, which is how the predictions are tested.

    Attributes:
        config: the configuration as it is rehearsed.
        job: what the trainer's loop trains.
        tracker: counts what lies on the device.
    """

    def __init__(
        self,
        config: Config,
        family: FamilyName,
        prediction: Prediction,
        configs: Configs,
        size: Size,
        *,
        make: Make = torch.empty,
        most: int = 1,
        has_update: bool = True,
    ) -> None:
        """Make ready to train the model of `configs` on pictures of `size`, whose weights come from `make(shape)`.

        `most` are the pictures that a batch may have in `step_of`. Without an update there is no optimizer: then
        only the passes are rehearsed, in less time.
        """
        self.config = rehearsed(config)
        self._has_update = has_update
        self.size = size
        self.tracker = Tracker()
        self.model = build_fake(family, prediction, configs, make)
        self.job: Job = stage(self.config, self.model, size, self._optimizer, most)
        self._peaks: Peaks = {}

    def all(self) -> Peaks:
        """Do every phase that the configuration has."""
        cached = self.config.dataset.cache_latents != "off"
        peaks = (self.cache() if cached else {}) | self.step() | self.save()
        return peaks | (self.sample() if self.config.sample.prompts else {})

    def hold(self) -> None:
        """Count what lies on the device between two steps."""
        self.tracker.hold(self._on_device(), WEIGHTS)
        self.tracker.hold(self._state_on_device(), STATE)
        if self.job.average is not None:
            self.tracker.hold(self.job.average.tensors.values(), AVERAGES)

    def cache(self) -> Peaks:
        """Encode a picture with nothing but the VAE on the device."""
        tracker, (width, height) = Tracker(), self.size
        tracker.hold(_tensors(self.model.vae), WEIGHTS)
        with tracker:
            tracker.begin()
            encode(self.model.vae, torch.zeros(1, 3, height, width, device=DEVICE))
            return {"cache": Peak(tracker.peak)}

    def step(self) -> Peaks:
        """Do an optimizer step, a second one where the first makes the optimizer's state."""
        self.hold()
        for parameter in self.job.parameters.values():
            parameter.register_post_accumulate_grad_hook(self._count_gradient)
        return self.again()

    def step_of(self, pictures: int) -> Peaks:
        """Do, after `step`, another one with so many pictures in a batch."""
        set_batch(self.job, self.config.train.model_copy(update={"batch_size": pictures}), self.size)
        return self.again()

    def again(self) -> Peaks:
        """Do a step as the one before."""
        has_state = not self._has_update or any(True for _ in self._state())
        self.job.step = STEPS - 1 if has_state else 0
        with self.tracker:
            self.tracker.begin()
            train(self.job, lambda report: None, self._between_steps)
        return dict(self._peaks)

    def update(self, optimizer: str) -> Peaks:
        """Do an optimizer's part of a step alone, with gradients that are all there; nothing else is rehearsed."""
        job, self.tracker = self.job, Tracker()
        settings = self.config.optimizer.model_copy(update={"type": optimizer})
        groups = [list(group.parameters.values()) for group in job.groups]
        job.optimizer = self._optimizer(groups, settings, exact_skip=job.precision.scaled)
        self.hold()
        nothing = torch.zeros((), device=DEVICE)
        rates = [group.learning_rate for group in job.groups]
        with self.tracker:
            for number in range(STEPS):
                for parameter in job.parameters.values():
                    parameter.grad = torch.zeros_like(parameter)
                    self.tracker.count(parameter.grad, GRADIENTS)
                job.optimizer.step(rates, nothing, nothing.bool(), number)
                self._between_steps()
                for parameter in job.parameters.values():
                    parameter.grad = None
        return {"update": self._peaks["update"]}

    def save(self) -> Peaks:
        """After `step`: what stays, and a copy of the largest weight on its way to main memory."""
        largest = max(parameter.nbytes for parameter in self.job.parameters.values())
        return {"save": Peak(self.tracker.now + type(self.tracker.now)({"copy": largest}))}

    def sample(self, size: Size | None = None) -> Peaks:
        """Draw a preview between two steps, of `size` where the largest prompt has none of its own."""
        job, tracker, config = self.job, self.tracker, self.config
        prompt = max(
            config.sample.prompts or [Prompt(prompt="a photo")], key=lambda each: _pixels(each, self.size)
        )
        elsewhere = [tensor for module in not_for_steps(job) for tensor in _tensors(module)]
        tracker.hold([*elsewhere, *_tensors(job.model.vae)], WEIGHTS)
        job.model.unet.eval()
        average = job.average.kept_weights() if job.average else nullcontext()
        with tracker, average:
            tracker.begin()
            draw_pixels(
                job.model,
                [prompt],
                size or config.dataset.resolution,
                DEVICE,
                clip_skip=config.model.clip_skip,
                autocast=job.precision.autocast(DEVICE),
                sampler_of=Sampler,
            )
            peak = Peak(tracker.peak)
        job.model.unet.train()
        tracker.let_go(elsewhere)
        return {"sample": peak}

    def _optimizer(self, groups: Groups, settings: Any, *, exact_skip: bool, bus: Any = None) -> WeightUpdate:
        if not self._has_update:
            make: Any = NoUpdate
        else:
            make = make_optimizer
            if settings.type in CLASSES:
                make = partial(BitsandbytesUpdate, make=StateOnly)
            elif bus is not None:
                make = partial(make_optimizer, bus=bus)
        update: WeightUpdate = make(groups, settings, exact_skip=exact_skip)
        do = update.step

        def step(*arguments: Any, **named: Any) -> None:
            self._end("passes")
            do(*arguments, **named)

        update.step = step  # type: ignore[method-assign]
        return update

    def _between_steps(self) -> bool:
        self.tracker.hold(self._state_on_device(), STATE)
        self._end("passes" if self.config.memory.fused_backward else "update")
        return True

    def _end(self, phase: Phase) -> None:
        self._peaks[phase] = Peak(self.tracker.peak, self.tracker.apart)
        self.tracker.begin()

    def _count_gradient(self, parameter: Tensor) -> None:
        if parameter.grad is not None:
            self.tracker.count(parameter.grad, GRADIENTS)

    def _state(self) -> Iterator[Tensor]:
        for state in self.job.optimizer.state():
            yield from (value for value in state.values() if isinstance(value, Tensor))

    def _state_on_device(self) -> Iterator[Tensor]:
        return iter(()) if self.config.memory.stream_state else self._state()

    def _on_device(self) -> Iterator[Tensor]:
        away = not_for_steps(self.job)
        for module in (self.model.unet, self.model.text_encoder, self.model.vae):
            if not any(module is each for each in away):
                yield from _tensors(module)
        if self.job.adapters is not None:
            yield from self.job.parameters.values()


def _tensors(module: Any) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _pixels(prompt: Prompt, size: Size) -> int:
    return (prompt.width or size[0]) * (prompt.height or size[1])
