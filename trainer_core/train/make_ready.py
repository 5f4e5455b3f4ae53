"""From a run directory to a training that is ready: everything that comes before the first step."""

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from trainer_core.config.schema import Config, Save
from trainer_core.models.family import COMPONENTS
from trainer_core.models.hub_upload import refuse_bad_token
from trainer_core.models.load import load_model
from trainer_core.narrate import NarratedEvents
from trainer_core.plan import Plan, make_plan
from trainer_core.ranks.several import Several, refuse_unsuitable
from trainer_core.report.seen import write_seen
from trainer_core.resume.differences import refuse_unsafe
from trainer_core.resume.since import changes_of
from trainer_core.resume.wishes import Wishes
from trainer_core.run.atomic import remove_strays
from trainer_core.run.directory import RunDirectory, shared_cache
from trainer_core.run.events import EventReader
from trainer_core.run.machine import GpuMonitor
from trainer_core.run.output_lock import output_held
from trainer_core.run.process import write_process_record
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.services import TOKEN
from trainer_core.suggestion import steps_measured
from trainer_core.text import safe_text
from trainer_core.train.class_images import draw_class_pictures
from trainer_core.train.fixed_samples import measure_of
from trainer_core.train.going_on import go_on
from trainer_core.train.halt import Halt
from trainer_core.train.job import Samples, prepare
from trainer_core.train.naming import is_name_of
from trainer_core.train.out_of_memory import out_of_memory_explained
from trainer_core.train.outputs import Outputs
from trainer_core.train.possible import refuse_impossible
from trainer_core.train.precision import Precision
from trainer_core.train.session import Session
from trainer_core.train.start_predictions import RECORD
from trainer_core.train.throttle import throttled
from trainer_core.train.validation import Validation
from trainer_core.train.world import World, join, start_alike


def make_ready(
    run: RunDirectory, config: Config, events: NarratedEvents, halt: Halt, wishes: Wishes, held: ExitStack
) -> Session:
    """Do everything that comes before the steps; a stop may interrupt it anywhere: nothing is lost with it.

    `held` gets what the run holds until its end.
    """
    held.enter_context(out_of_memory_explained(config))
    held.enter_context(output_held(config.save, run))
    world, device = join(run)
    gpu = GpuMonitor(_uuid(device)) if device.type == "cuda" else None
    write_process_record(run, _gpu_facts(gpu))
    _remove_strays(run, config.save)
    if config.train.cpu_threads:
        torch.set_num_threads(config.train.cpu_threads)
    refuse_impossible(config, device)
    if config.hub.push and config.hub.repo_id and os.environ.get(TOKEN):  # that it is missing, the plan tells
        refuse_bad_token(config.hub.repo_id)
    plan = _plan(config, run, events, halt)
    _refuse_changed(run, config, plan, wishes)
    _tell_of_several(config, world, device, events)
    events.emit("phase", name="load", total=None)
    model = load_model(config.model, progress=lambda text: _tell_loading(events, halt, text), later=COMPONENTS)
    for note in model.notes:
        events.emit("warning", code="model", text=note, step=0)
    plan = _with_class_pictures(config, plan, model, device, run, events, halt)
    _remember_dataset(config, plan, run, events)
    cache_dir = shared_cache(run.path.parent)
    measure = measure_of(config, plan.scan, model, device, cache_dir)
    world.wait()  # from here on the others read what is here now
    samples = Samples(items=plan.items, fits=plan.fits, order=plan.order, total_steps=plan.total_steps)
    job = prepare(
        config,
        samples,
        model,
        device,
        events,
        cache_dir=cache_dir,
        should_stop=halt.requested,
        world=world,
        encoded=measure.encoded if measure else None,
    )
    job.should_stop = halt.is_asked
    # While the weights are the start model's.
    validation = Validation.of(job, measure, run.path / RECORD) if measure else None
    world.wait()
    outputs = Outputs(job, run, events, halt.is_asked)
    go_on(job, outputs, run, events, wishes)
    if validation:
        validation.measured |= steps_measured(EventReader(run.events).poll(), validation.measure.mark, job.step)
    start_alike(world, job.step, job.replicas)
    return Session(job, outputs, events, halt, gpu, validation)


def _refuse_changed(run: RunDirectory, config: Config, plan: Plan, wishes: Wishes) -> None:
    """Refuse another training before anything is loaded, drawn or encoded for it; the restoring looks again."""
    since = None if wishes.allow_changed else changes_of(run, config, plan)
    if since is not None:
        refuse_unsafe(since.differences, safe_text(since.checkpoint), quote(safe_text(run.path)))


def _with_class_pictures(
    config: Config,
    plan: Plan,
    model: Any,
    device: torch.device,
    run: RunDirectory,
    events: NarratedEvents,
    halt: Halt,
) -> Plan:
    """Draw the class pictures that are missing, and plan again with them."""
    if not any(each.missing for each in plan.scan.drawn):
        return plan
    is_complete = draw_class_pictures(
        plan.scan.drawn,
        config.prior,
        config.dataset.resolution,
        model,
        device,
        events,
        clip_skip=config.model.clip_skip,
        autocast=Precision.of(config.memory, device).autocast(device),
        should_stop=halt.requested,
    )
    if not is_complete:
        raise StopRequestedError
    return _plan(config, run, events, halt, told=plan.notes)


def _plan(
    config: Config, run: RunDirectory, events: NarratedEvents, halt: Halt, *, told: Sequence[str] = ()
) -> Plan:
    """Read the dataset and everything else; raise what is wrong, and tell the remarks that are not `told` yet."""

    def tell(done: int, total: int) -> None:
        halt.leave_if_requested()
        events.emit("progress", phase="load", done=done, total=total)

    events.emit("phase", name="load", total=None)
    plan = make_plan(
        config,
        run.path.parent,
        deep=True,
        run_dir=run.path,
        progress=throttled(tell),
    )
    plan.raise_for_problems()
    for note in plan.notes:
        if note not in told:
            events.emit("warning", code="note", text=note, step=0)
    return plan


def _remember_dataset(config: Config, plan: Plan, run: RunDirectory, events: NarratedEvents) -> None:
    """Keep what is trained on for the report; without it, that only lacks a section."""
    try:
        write_seen(
            run, config.dataset, plan.scan, plan.items, plan.fits, plan.order, plan.total_steps, plan.formula
        )
    except OSError as error:
        text = f"dataset.json could not be written, so report.html will not show the dataset ({safe_text(error)})"
        events.emit("warning", code="report", text=text, step=0)


def _tell_loading(events: NarratedEvents, halt: Halt, text: str) -> None:
    halt.leave_if_requested()
    share = re.search(r"(\d+)%", text)
    events.emit("progress", phase="load", done=int(share[1]) if share else 0, total=100 if share else 0, text=text)


def _tell_of_several(config: Config, world: World, device: torch.device, events: NarratedEvents) -> None:
    processes = Several(world.share.processes)
    refuse_unsuitable(config, processes)
    if world.is_alone:
        return
    what = "GPUs share" if device.type == "cuda" else "processes share"
    text = f"{processes.gpus} {what} each batch of train.batch_size = {config.train.batch_size} pictures"
    events.emit("warning", code="note", text=text, step=0)


def _uuid(device: torch.device) -> str | None:
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return f"GPU-{uuid}" if uuid else None


def _gpu_facts(gpu: GpuMonitor | None) -> dict[str, str | float | None] | None:
    reading = gpu.first() if gpu else None
    if reading is None:
        return None
    return {"name": reading.name, "driver": reading.driver, "vram_total_gb": reading.vram_total_gb}


def _remove_strays(run: RunDirectory, save: Save) -> None:
    """Remove what a killed process left; in a folder for models only what bears this run's names, held by it."""
    for folder in (run.path, run.checkpoints, run.output, run.samples):
        remove_strays(folder)
    if save.output_dir:
        remove_strays(Path(save.output_dir), partial(is_name_of, save.output_name))
