"""The trainer as `dbtui run` drives it, without the process around it: plan, prepare, train, events written."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.models.load import load_model
from trainer_core.plan import Plan, make_plan
from trainer_core.run.control import ControlReader
from trainer_core.run.directory import RunDirectory, create_numbered_run, shared_cache
from trainer_core.run.events import EventWriter
from trainer_core.train.halt import Halt
from trainer_core.train.job import Job, Samples, prepare
from trainer_core.train.loop import StepReport, train
from trainer_core.train.outputs import Outputs
from trainer_core.train.session import Session

AfterStep = Callable[[int, list[Path], float], None]
NO_SIGNALS: Any = SimpleNamespace(stop_requested=None)
"""In the place of StopSignals, which would take Ctrl-C away from the benchmark."""


class OurTraining:
    """One training in a run directory of its own, in two parts so that each can be measured.

    Attributes:
        job: what the loop works on; there after `prepare`.
    """

    def __init__(self, config: Config, runs_dir: Path, device: torch.device) -> None:
        self.config = config
        self.runs_dir = runs_dir
        self.device = device
        self.run: RunDirectory = create_numbered_run(runs_dir, "bench", dump_config(config))
        self.events = EventWriter(self.run)
        self.job: Job | None = None

    def prepare(self, model: Any) -> Job:
        """Decode and plan the pictures, encode them, place `model`, build the optimizer."""
        plan = make_plan(self.config, self.runs_dir, deep=True)
        plan.raise_for_problems()
        return self.prepare_planned(plan, model)

    def prepare_planned(self, plan: Plan, model: Any) -> Job:
        """Do the same with a plan that was made before."""
        samples = Samples(items=plan.items, fits=plan.fits, order=plan.order, total_steps=plan.total_steps)
        cache_dir = shared_cache(self.runs_dir)
        self.job = prepare(
            self.config, samples, model, self.device, self.events, cache_dir=cache_dir, should_stop=lambda: False
        )
        return self.job

    def train(self, after_step: AfterStep, on_report: Callable[[StepReport], None] = lambda report: None) -> None:
        """Train to the end with everything that a run does at each step: events, commands, what is due.

        `after_step` gets steps done, the step's pictures, and NaN: the loss comes one step later, in `on_report`.
        """
        job = self._prepared()
        outputs = Outputs(job, self.run, self.events)
        halt = Halt(ControlReader(self.run), NO_SIGNALS, self.events)
        session = Session(job, outputs, self.events, halt, None)

        def report(numbers: StepReport) -> None:
            session.report(numbers)
            on_report(numbers)

        def between_steps() -> bool:
            goes_on = session.between_steps()
            after_step(job.step, self.pictures(job.step - 1), float("nan"))
            return goes_on

        try:
            train(job, report, between_steps)
        finally:
            job.loader.close()

    def pictures(self, step: int) -> list[Path]:
        """Return the pictures of optimizer step `step` (from 0)."""
        samples = self._prepared().samples
        return [samples.items[item].picture.path for micro in samples.order.step(step) for item in micro.items]

    def close(self) -> None:
        """End the thread that writes events."""
        self.events.close()

    def _prepared(self) -> Job:
        if self.job is None:
            raise RuntimeError("prepare first")
        return self.job


def train_whole(config: Config, runs_dir: Path) -> Any:
    """Train on the CPU from start to end, in a run in `runs_dir`; return the model, with its LoRA in place."""
    training = OurTraining(config, runs_dir, torch.device("cpu"))
    try:
        job = training.prepare(load_model(config.model))
        training.train(lambda step, pictures, loss: None)
    finally:
        training.close()
    return job.model
