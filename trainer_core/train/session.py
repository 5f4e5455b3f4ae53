"""What happens between two steps: commands are obeyed, files are written when they are due, a stop is heeded."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import Command, acknowledge
from trainer_core.run.events import EventWriter
from trainer_core.run.machine import GpuMonitor
from trainer_core.train.halt import Halt
from trainer_core.train.job import Job
from trainer_core.train.loop import StepReport
from trainer_core.train.naming import epoch_name, step_name
from trainer_core.train.outputs import Outputs, pictures_of
from trainer_core.train.pause import Pause
from trainer_core.train.validation import Validation
from trainer_core.train.world import GOES_ON, SIGNALLED, STOPS

_GB = 2**30


@dataclass(slots=True)
class Session:
    """One process's share of a run. The loop calls `report` and `between_steps`.

    Attributes:
        validation: measures the model on its way; None where nothing is measured.
    """

    job: Job
    outputs: Outputs
    events: EventWriter
    halt: Halt
    gpu: GpuMonitor | None
    validation: Validation | None = None
    since: float = 0.0

    def report(self, report: StepReport) -> None:
        """Write the event of one step."""
        reading = self.gpu.latest() if self.gpu else None
        own: dict[str, float] = {"skipped": report.skipped} if report.skipped else {}
        if report.text_encoder_rate is not None:
            own["lr_text_encoder"] = report.text_encoder_rate
        self.events.emit(
            "step",
            step=report.step,
            epoch=report.epoch,
            loss=report.loss,
            lr=report.learning_rate,
            **own,
            images_per_s=report.images_per_s,
            grad_norm=report.grad_norm,
            vram_gb=torch.cuda.memory_reserved() / _GB if self.gpu else None,
            gpu_load=reading.load if reading else None,
            gpu_temp=reading.temperature if reading else None,
            gpu_power=reading.power if reading else None,
        )

    def begin(self) -> bool:
        """Write what a stop after this step left undone; return whether there is a training to do."""
        if 0 < self.job.step < self.job.samples.total_steps:
            self._write_what_is_due(only_missing=True)
        self.since = time.monotonic()
        return self._agree(not self.halt.is_asked())

    def between_steps(self) -> bool:
        """Do what is due after `job.step` steps; return whether the training goes on.

        A stop comes before what is due: the state is written once, and a resume writes the rest.
        """
        self._count()
        goes_on = self._agree(self._do_what_is_due())
        self.since = time.monotonic()
        return goes_on

    def _agree(self, goes_on: bool) -> bool:
        """Tell the other processes of the run whether it goes on, and return whether it does for all of them."""
        said = self.job.world.agree(GOES_ON if goes_on else STOPS)
        if said == SIGNALLED:  # a scheduler signalled another machine, say
            self.halt.reason = "asked by a signal to another of its processes"
            if self.job.step:
                self.outputs.save_last_state()
        return said == GOES_ON

    def _count(self) -> None:
        """Add the step to what was done in all."""
        job = self.job
        images = sum(len(micro.items) for micro in job.samples.order.step(job.step - 1))
        job.totals.add(time.monotonic() - self.since if self.since else 0.0, images)

    def _do_what_is_due(self) -> bool:
        commands = self.halt.commands()
        for command in commands:
            self._obey(command)
        if self.job.step == self.job.samples.total_steps:
            return False
        self.outputs.states.look()
        self._write_what_is_due(only_missing=False)
        if any(command.kind == "save" for command in commands):
            self.validate()
        if self.halt.is_asked():
            self.outputs.save_last_state()
        return self.halt.reason is None

    def _write_what_is_due(self, *, only_missing: bool) -> None:
        """Write models, previews and the state; a stop ends it after what is being written."""
        for is_there, write in self._what_is_due():
            if self.halt.is_asked():
                return
            if not (only_missing and is_there()):
                write()

    def _what_is_due(self) -> Iterator[tuple[Callable[[], bool], Callable[[], object]]]:
        """Yield what is due after `job.step` steps: whether it is there already, and what writes it."""
        save, sample, outputs = self.job.config.save, self.job.config.sample, self.outputs
        by_epoch, by_step = self._is_due(None, save.every_n_epochs), self._is_due(save.every_n_steps, None)
        after_save = sample.after_save and (by_epoch or by_step)
        previews = outputs.has_previews, outputs.draw_previews
        if not after_save and self._is_due(sample.every_n_steps, sample.every_n_epochs):
            yield previews
        names = [epoch_name(save.output_name, self.job.epoch)] if by_epoch else []
        names += [step_name(save.output_name, self.job.step)] if by_step else []
        for name in names:
            yield partial(outputs.has_model, name), partial(outputs.save_model_on_the_way, name)
        if after_save:
            yield previews
        if names or outputs.states.is_due():
            yield outputs.has_state, outputs.save_state

        validation = self.validation
        if validation and (names or self._is_due(self.job.config.validation.every_n_steps, None)):
            yield validation.has, self.validate

    def validate(self) -> None:
        """Measure the model as it is now, unless that is done, or a stop is asked for."""
        validation = self.validation
        if validation is not None and not validation.has() and not self.halt.is_asked():
            with self.outputs.phase("validate"):
                validation.tell()

    def _is_due(self, every_n_steps: int | None, every_n_epochs: int | None) -> bool:
        step, steps_per_epoch = self.job.step, self.job.samples.order.steps_per_epoch
        by_step = every_n_steps is not None and step % every_n_steps == 0
        by_epoch = every_n_epochs is not None and step % (every_n_epochs * steps_per_epoch) == 0
        return by_step or by_epoch

    def _obey(self, command: Command) -> None:
        match command.kind:
            case "save":
                self._save(command)
            case "sample":
                self._draw(command)
            case "pause" if self.job.sharded:
                text = "a run with memory.fsdp cannot be paused: stop it, and resume it later"
                acknowledge(self.events, command, False, text)
            case "pause":
                Pause(self.job, self.halt, self.events, self._obey, self._draw).last(command)
            case _:
                acknowledge(self.events, command, False, f"there is nothing to {command.kind}")

    def _save(self, command: Command) -> None:
        """Save a model because somebody asked; a disk that does not take it is no reason to end the training."""
        name = step_name(self.job.config.save.output_name, self.job.step)
        try:
            text = f"saved {self.outputs.save_model(name)[0].name}"
        except UserError as error:
            if error.code is not ExitCode.DISK:
                raise
            acknowledge(self.events, command, False, " ".join(error.problems))
        else:
            acknowledge(self.events, command, True, text)

    def _draw(self, command: Command) -> None:
        wanted = len(pictures_of(self.job.config.sample))
        if not wanted:
            text = "this run has no prompts ([[sample.prompts]] or sample.prompts_file)"
            acknowledge(self.events, command, False, text)
            return
        drawn = self.outputs.draw_previews()
        acknowledge(self.events, command, drawn == wanted, f"{drawn} of {wanted} previews drawn")
