"""The training as a process beside the first does it: the same steps, on its part of each batch."""

import sys
from collections.abc import Callable
from typing import Any

import torch

from trainer_core.models.family import COMPONENTS
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports
from trainer_core.narrate import narration
from trainer_core.plan import make_plan
from trainer_core.resume.wishes import Wishes
from trainer_core.run.directory import RunDirectory, shared_cache
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopSignals
from trainer_core.train import world as words
from trainer_core.train.away import Away
from trainer_core.train.checkpoint import newest_valid
from trainer_core.train.job import Job, Samples, prepare
from trainer_core.train.loop import train
from trainer_core.train.not_finite import refuse_broken_weights
from trainer_core.train.possible import refuse_impossible
from trainer_core.train.resume import own_state, restore
from trainer_core.train.world import GOES_ON, SIGNALLED, STOPS, join, start_alike

_ITS_OWN = {"out_of_memory", "memory_stepped_down", "picture_lost"}
"""Warnings that the first process does not write too."""


class EventsBeside(EventWriter):
    """Takes what the first process alone writes; warnings of this process's own go to the console."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def emit(self, kind: str, **fields: Any) -> None:
        """Print a warning that is this process's own."""
        if kind == "warning" and fields["code"] in _ITS_OWN:
            sys.stderr.write(f"process {self.rank}: {narration(kind, fields)}\n")


def make_ready_beside(run: RunDirectory, signals: StopSignals, wishes: Wishes) -> Job:
    """Do what comes before the steps, once the first process has checked, drawn and fetched everything."""
    quiet_imports()
    world, device = join(run)
    world.wait()
    config = wishes.configuration(run)
    if config.train.cpu_threads:
        torch.set_num_threads(config.train.cpu_threads)
    refuse_impossible(config, device)
    plan = make_plan(config, run.path.parent, deep=True, run_dir=run.path)
    plan.raise_for_problems()
    job = prepare(
        config,
        Samples(items=plan.items, fits=plan.fits, order=plan.order, total_steps=plan.total_steps),
        load_model(config.model, later=COMPONENTS),
        device,
        EventsBeside(world.share.rank),
        cache_dir=shared_cache(run.path.parent),
        should_stop=lambda: signals.stop_requested is not None,
        world=world,
    )
    _serve(job, lambda: GOES_ON)  # the first process may look at the start model
    newest, _ = newest_valid(run.checkpoints)
    if newest is not None:
        restore(job, newest, allow_changed=True)  # the first process judges what has changed
    start_alike(world, job.step, job.replicas)
    return job


def train_beside(job: Job, signals: StopSignals) -> None:
    """Take part in every step until the first process ends the training."""

    def between_steps() -> bool:
        return _serve(job, lambda: SIGNALLED if signals.stop_requested else GOES_ON) == GOES_ON

    if between_steps():
        train(job, lambda report: None, between_steps)
    if job.sharded:  # the first process saves and draws after the last step too
        while _serve(job, lambda: GOES_ON) != STOPS:
            pass


def _serve(job: Job, word: Callable[[], int]) -> int:
    """Agree on a `word`; before that do what the first process asks for: wait in a pause, give weights."""
    away = Away(job)
    while True:
        match job.world.agree(word()):
            case words.KEPT_WEIGHTS if job.sharded:
                refuse_broken_weights(job)
                job.sharded.bring_weights(job.kept_parts)
            case words.WHOLE_STATE if job.sharded:
                refuse_broken_weights(job)
                job.sharded.bring_state(own_state(job))
            case words.PAUSES:
                away.leave_together()
            case words.RETURNS:
                away.come_back_together()
            case words.PAUSED:
                pass
            case words.SIGNALLED if away.is_away:  # the first process saves, and says then that it stops
                pass
            case agreed:
                return agreed
