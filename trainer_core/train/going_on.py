"""Where a process of a run begins: at the newest whole checkpoint or anew, and what is its configuration then."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from shlex import quote

from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.differences import Difference, as_event, since_file
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.atomic import write_text
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader, EventWriter
from trainer_core.text import safe_text
from trainer_core.train.checkpoint import newest_valid
from trainer_core.train.job import Job
from trainer_core.train.outputs import Outputs
from trainer_core.train.resume import restore


def go_on(job: Job, outputs: Outputs, run: RunDirectory, events: EventWriter, wishes: Wishes) -> None:
    """Bring `job` to the newest checkpoint that verifies, and tell it; without one it begins anew.

    A configuration that is not the file's is written to the next run.N.toml.

    Raises:
        UserError: only damaged checkpoints are left, or the newest is of another training (code RESUME).
    """
    _tell_of_unread(run, events)
    if newest := _newest(run, events):
        differences = restore(job, newest, allow_changed=wishes.allow_changed, run=quote(safe_text(run.path)))
        outputs.states.resumed_from(newest, is_same=not differences)
        outputs.remember_models()
    else:
        differences = since_file(NO_WISHES.configuration(run), job.config)
        if not differences and not _has_trained(run):
            return
    run_file = _file_of(run, job.config, differences)
    events.emit(
        "resumed",
        from_step=job.step,
        run_file=run_file.name,
        changed=as_event(differences),
        totals=asdict(job.totals),
    )


def _newest(run: RunDirectory, events: EventWriter) -> Path | None:
    newest, damaged = newest_valid(run.checkpoints)
    if newest is None and damaged:
        folder = safe_text(run.checkpoints)
        raise UserError([*damaged, f"no checkpoint is left: remove {folder} to begin anew"], ExitCode.RESUME)
    for problem in damaged:
        events.emit("warning", code="checkpoint_damaged", text=f"{problem}; an older one is used", step=0)
    return newest


def _tell_of_unread(run: RunDirectory, events: EventWriter) -> None:
    """Warn of a run.toml that was edited although a later file counts."""
    current = run.configuration
    if run.run_toml.stat().st_mtime > current.stat().st_mtime:
        text = f"run.toml was changed, but {current.name} counts since it was written: edit that, or use --set"
        events.emit("warning", code="run_toml_unread", text=text, step=0)


def _has_trained(run: RunDirectory) -> bool:
    return any(event.get("kind") == "step" for event in EventReader(run.events).poll())


def _file_of(run: RunDirectory, config: Config, differences: Iterable[Difference]) -> Path:
    """Return the file that holds `config`: the run's own, or the next run.N.toml, written now."""
    current = run.configuration
    if not any(each.is_setting for each in differences):
        return current
    if current != run.run_toml and not since_file(NO_WISHES.configuration(run), config):
        return current  # written by a resume that did not come to a checkpoint
    path = run.next_configuration
    write_text(path, dump_config(config))
    return path
