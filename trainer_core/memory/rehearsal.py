"""A training step, a preview and the encoding of a picture, done by the trainer's own code without any memory.

Tensors are fake (torch's FakeTensorMode): they have a shape and a type and no values, so a full-size model needs
neither a GPU nor gigabytes, and what its step would allocate can be counted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from trainer_core.config.schema import Config, Prompt
from trainer_core.data.cache import encode
from trainer_core.data.dataset import Size
from trainer_core.memory.eight_bit import StateOnly
from trainer_core.memory.fake_model import Configs, build_fake
from trainer_core.memory.like_cuda import Reads, cuda_autocast
from trainer_core.memory.peak import Peak, Peaks
from trainer_core.memory.stage import DEVICE, Sampler, rehearsed, stage
from trainer_core.memory.tracker import Tracker
from trainer_core.models.family import Prediction
from trainer_core.models.sniff import FamilyName
from trainer_core.train.job import Job, not_for_steps
from trainer_core.train.loop import train
from trainer_core.train.optimizers import WeightUpdate, make_optimizer
from trainer_core.train.preview import draw_pixels
from trainer_core.train.update import Groups
from trainer_core.train.update_bitsandbytes import CLASSES

WEIGHTS, GRADIENTS, STATE, AVERAGES = "weights", "gradients", "optimizer state", "moving averages"


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
        make: Callable[[torch.Size], Tensor] = torch.empty,
    ) -> None:
        """Make ready to train on pictures of `size` a model whose tensors come from `make(shape)`."""
        self.config = rehearsed(config)
        self.size = size
        self.tracker = Tracker()
        self.model = build_fake(family, prediction, configs, make)
        self.job: Job = stage(self.config, self.model, size, self._optimizer)
        self._peaks: Peaks = {}

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
        job, tracker = self.job, self.tracker
        tracker.hold(self._on_device(), WEIGHTS)
        tracker.hold(self._state(), STATE)
        if job.average is not None:
            tracker.hold(job.average.tensors.values(), AVERAGES)
        for parameter in job.parameters.values():
            parameter.register_post_accumulate_grad_hook(self._count_gradient)
        job.step = 1 if any(True for _ in self._state()) else 0
        with tracker:
            tracker.begin()
            train(job, lambda report: None, self._between_steps)
        return {phase: self._peaks[phase] for phase in ("passes", "update") if phase in self._peaks}

    def save(self) -> Peaks:
        """After `step`: what stays, and a copy of the largest weight on its way to main memory."""
        largest = max(parameter.nbytes for parameter in self.job.parameters.values())
        return {"save": Peak(self.tracker.now + type(self.tracker.now)({"copy": largest}))}

    def sample(self) -> Peaks:
        """After `step`: draw a preview of the largest prompt's size."""
        job, tracker, config = self.job, self.tracker, self.config
        prompt = max(
            config.sample.prompts or [Prompt(prompt="a photo")], key=lambda each: _pixels(each, self.size)
        )
        elsewhere = [tensor for module in not_for_steps(job) for tensor in _tensors(module)]
        tracker.hold([*elsewhere, *_tensors(job.model.vae)], WEIGHTS)
        job.model.unet.eval()
        with tracker:
            tracker.begin()
            draw_pixels(
                job.model,
                [prompt],
                config.dataset.resolution,
                DEVICE,
                clip_skip=config.model.clip_skip,
                autocast=job.precision.autocast(DEVICE),
                sampler_of=Sampler,
            )
            peak = Peak(tracker.peak)
        job.model.unet.train()
        tracker.let_go(elsewhere)
        return {"sample": peak}

    def _optimizer(self, groups: Groups, settings: Any, *, exact_skip: bool) -> WeightUpdate:
        make: Any = StateOnly if settings.type in CLASSES else make_optimizer
        update: WeightUpdate = make(groups, settings, exact_skip=exact_skip)
        do = update.step

        def step(*arguments: Any, **named: Any) -> None:
            self._peaks["passes"] = Peak(self.tracker.peak, self.tracker.apart)
            self.tracker.begin()
            do(*arguments, **named)

        update.step = step  # type: ignore[method-assign]
        return update

    def _between_steps(self) -> bool:
        self._peaks["update"] = Peak(self.tracker.peak)
        self.tracker.hold(self._state(), STATE)
        self.tracker.begin()
        return True

    def _count_gradient(self, parameter: Tensor) -> None:
        if parameter.grad is not None:
            self.tracker.count(parameter.grad, GRADIENTS)

    def _state(self) -> Iterator[Tensor]:
        for state in self.job.optimizer.state():
            yield from (value for value in state.values() if isinstance(value, Tensor))

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
