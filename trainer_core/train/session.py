"""What happens between two steps: commands are obeyed, files are written when they are due, a stop is heeded."""

from dataclasses import dataclass

import torch

from trainer_core.run.control import Command, acknowledge
from trainer_core.run.events import EventWriter
from trainer_core.run.machine import GpuMonitor
from trainer_core.train.halt import Halt
from trainer_core.train.job import Job
from trainer_core.train.loop import StepReport
from trainer_core.train.naming import epoch_name, step_name
from trainer_core.train.outputs import Outputs

_GB = 2**30


@dataclass(slots=True)
class Session:
    """One process's share of a run. The loop calls `report` and `between_steps`."""

    job: Job
    outputs: Outputs
    events: EventWriter
    halt: Halt
    gpu: GpuMonitor | None

    def report(self, report: StepReport) -> None:
        """Write the event of one step."""
        reading = self.gpu.latest() if self.gpu else None
        own = {} if report.text_encoder_rate is None else {"lr_text_encoder": report.text_encoder_rate}
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

    def between_steps(self) -> bool:
        """Do what is due after `job.step` steps; return whether the training goes on."""
        for command in self.halt.commands():
            self._obey(command)
        if self.job.step == self.job.samples.total_steps:
            return False
        self._write_what_is_due()
        if self.halt.reason:
            self.outputs.save_state()
        return self.halt.reason is None

    def _write_what_is_due(self) -> None:
        save, sample = self.job.config.save, self.job.config.sample
        by_epoch, by_step = self._is_due(None, save.every_n_epochs), self._is_due(save.every_n_steps, None)
        after_save = sample.after_save and (by_epoch or by_step)
        if not after_save and self._is_due(sample.every_n_steps, sample.every_n_epochs):
            self.outputs.draw_previews()
        if by_epoch:
            self.outputs.save_model_on_the_way(epoch_name(save.output_name, self.job.epoch))
        if by_step:
            self.outputs.save_model_on_the_way(step_name(save.output_name, self.job.step))
        if after_save:
            self.outputs.draw_previews()
        if (by_epoch or by_step) and not self.halt.reason:
            self.outputs.save_state()

    def _is_due(self, every_n_steps: int | None, every_n_epochs: int | None) -> bool:
        step, steps_per_epoch = self.job.step, self.job.samples.order.steps_per_epoch
        by_step = every_n_steps is not None and step % every_n_steps == 0
        by_epoch = every_n_epochs is not None and step % (every_n_epochs * steps_per_epoch) == 0
        return by_step or by_epoch

    def _obey(self, command: Command) -> None:
        ok, text = True, ""
        match command.kind:
            case "save":
                name = step_name(self.job.config.save.output_name, self.job.step)
                text = f"saved {self.outputs.save_model(name)[0].name}"
            case "sample" if self.job.config.sample.prompts:
                text = f"{self.outputs.draw_previews()} previews drawn"
            case "sample":
                ok, text = False, "this run has no prompts ([[sample.prompts]] or sample.prompts_file)"
            case _:
                ok, text = False, f"this trainer cannot {command.kind}"
        acknowledge(self.events, command, ok, text)
