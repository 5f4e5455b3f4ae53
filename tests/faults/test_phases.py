"""A stop in every phase of a real trainer: how soon it ends, what stands then, and how it goes on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.evidence import (
    console,
    content,
    ended_well_told,
    events,
    losses,
    same_weights,
    strays,
    valid,
    wait_for,
    wait_for_step,
    wait_until,
)
from tests.faults.forked import ForkedTrainer
from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import is_alive

AT_ONCE = 8.0
"""Seconds from the signal to the end on a machine that is busy; alone it is a few tenths."""

STUCK = """
import ctypes
import trainer_core.run.stop_signals as stop_signals
stop_signals.PATIENCE = 1.0
def stuck(*arguments, **options):
    "Stay in native code, as on a file system that hangs: no signal gets through to Python."
    print("stuck", flush=True)
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)
"""
ON_THE_HUB = """
import os
import trainer_core.train.hand_over as hand_over, trainer_core.train.make_ready as make_ready
os.environ["HF_TOKEN"] = "hf_" + "t" * 30
make_ready.refuse_bad_token = lambda repo: None
"""
PREVIEW = (
    'sample = { every_n_steps = 5, prompts = [{ prompt = "frog", steps = %d }, { prompt = "a frog", steps = 1 }] }'
)


@pytest.fixture
def make(make_run, run_file: Path, tmp_path: Path) -> Callable[..., RunDirectory]:
    """Make a run; `tables` is added to its file."""

    def make_one(*overrides: str, tables: str = "") -> RunDirectory:
        file = run_file.parent / f"{tmp_path.name}.toml"
        file.write_text(run_file.read_text() + tables)
        return make_run(tmp_path / "runs", *overrides, file=file)

    return make_one


def stop(trainer: ForkedTrainer, number: int = signal.SIGTERM) -> tuple[int, float]:
    """Send the signal; return the exit code, and the seconds until the end."""
    began = time.monotonic()
    trainer.send(number)
    status = trainer.wait()
    return status, time.monotonic() - began


def stops_at_once(run: RunDirectory, trainer: ForkedTrainer, number: int = signal.SIGTERM) -> str:
    status, seconds = stop(trainer, number)
    print(f"{seconds:.2f} s from the signal to the end")
    text = ended_well_told(run, status, ExitCode.STOPPED)
    assert seconds < AT_ONCE
    assert not strays(run)
    return text


def test_while_libraries_are_imported(run: RunDirectory):
    with run.console_log.open("ab") as log:
        command = [sys.executable, "-m", "trainer_core", str(run.path)]
        trainer = subprocess.Popen(command, stdout=log, stderr=log)
    wait_until(lambda: is_alive(run), "the trainer has the lock")
    began = time.monotonic()
    trainer.send_signal(signal.SIGTERM)
    assert trainer.wait(60) == ExitCode.STOPPED
    assert time.monotonic() - began < 2 * AT_ONCE  # a library that is being mapped into memory is waited for
    assert "SIGTERM" in ended_well_told(run, 75, ExitCode.STOPPED)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_while_pictures_are_read(make, start, number: int):
    run = make()
    slow = "import time, trainer_core.data.scan as s\nreal = s.probe\ns.probe = lambda p: time.sleep(1) or real(p)"
    trainer = start(run, before=slow)
    wait_for(run, "progress", phase="load")
    assert signal.Signals(number).name in stops_at_once(run, trainer, number)


def test_while_native_code_does_not_come_back(make, start):
    run = make()
    trainer = start(run, before=STUCK + "import trainer_core.train.make_ready as r\nr.load_model = stuck")
    wait_until(lambda: "stuck" in console(run), "it is stuck")
    status, seconds = stop(trainer)
    assert status == ExitCode.STOPPED
    assert 1 <= seconds < 1 + AT_ONCE
    assert not strays(run)


@pytest.mark.faults
def test_while_latents_are_cached(make, start):
    run = make()
    slow = "import time, trainer_core.data.cache as c\nr = c.encode\nc.encode = lambda *a: time.sleep(1) or r(*a)"
    trainer = start(run, before=slow)
    wait_for(run, "progress", phase="cache", done=1)
    stops_at_once(run, trainer)


@pytest.mark.faults
def test_while_class_pictures_are_drawn(make, start, run_file: Path, tmp_path: Path):
    shutil.copytree(run_file.parent / "reg", tmp_path / "reg")
    run = make(f"dataset.reg_dir={tmp_path}/reg", "prior.num_class_images=8", "prior.infer_steps=1000")
    before = set((tmp_path / "reg").rglob("*"))
    trainer = start(run)
    wait_for(run, "phase", name="class_images")
    time.sleep(0.5)
    stops_at_once(run, trainer)
    assert set((tmp_path / "reg").rglob("*")) == before


@pytest.mark.faults
def test_in_a_long_step_which_is_given_up_and_done_anew(make_run, start, tmp_path: Path):
    settings = ("train.gradient_accumulation=4", "save.every_n_steps=100", "train.max_steps=8")
    run, whole = (make_run(tmp_path / "runs", *settings, name=name) for name in ("stopped", "whole"))
    slow = """
import time
from trainer_core.train import passes
real = passes.batch_losses
def slow(job, *arguments):
    if job.step == 5:
        print("slow", flush=True)
        time.sleep(2)
    return real(job, *arguments)
passes.batch_losses = slow
"""
    trainer = start(run, before=slow)
    wait_until(lambda: "slow" in console(run), "a long step has begun")
    assert "stopped at step 5" in stops_at_once(run, trainer)
    assert console(run).count("slow") == 1
    assert [path.name for path in valid(run)] == ["000005"]
    assert (start(run).wait(), start(whole).wait()) == (0, 0), console(run)
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)


def test_in_a_preview_and_its_resume_draws_them(make, start, whole):
    run = make("save.every_n_steps=100", tables=PREVIEW % 1000)
    trainer = start(run)
    wait_for(run, "phase", name="sample")
    time.sleep(0.3)
    stops_at_once(run, trainer)
    assert [path.name for path in valid(run)] == ["000005"]
    assert not events(run, "sample")
    (run.path / "run.toml").write_text((run.path / "run.toml").read_text().replace("steps = 1000", "steps = 2"))
    assert start(run).wait() == 0, console(run)
    assert [event["step"] for event in events(run, "sample")] == [5, 5, 10, 10, 12, 12]
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)


@pytest.mark.faults
def test_in_the_final_save_the_model_is_written_and_the_run_is_done(make, start, whole):
    slow = "import os, time\nreal = os.fsync\nos.fsync = lambda number: time.sleep(0.3) or real(number)"
    run = make("save.every_n_steps=100", tables=PREVIEW.replace("= 5", "= 100") % 1000)
    trainer = start(run, before=slow)
    wait_for(run, "phase", name="save")
    status, _ = stop(trainer)
    (*_, last) = events(run)
    assert (status, last["kind"], last["exit_code"]) == (0, "finished", 0)
    assert last["text"] == "trained 12 steps; no last previews (asked by SIGTERM)"
    assert same_weights(run, whole)


@pytest.mark.faults
def test_in_the_upload_the_run_is_stopped_and_a_resume_only_uploads(make, start, whole):
    run = make("hub.push=true", "hub.repo_id=owner/frog", "save.every_n_steps=100")
    trainer = start(run, before=STUCK + ON_THE_HUB + "hand_over.publish = stuck")
    wait_until(lambda: "stuck" in console(run), "it uploads")
    assert "not uploaded (asked by SIGTERM); `dbtui resume frog` uploads it" in stops_at_once(run, trainer)
    assert same_weights(run, whole)
    kept = content(run.output)

    uploads = ON_THE_HUB + "hand_over.publish = lambda trained, events: f'; uploaded {trained.paths[0].name}'\n"
    trains = "import trainer_core.train.run as run\nrun.make_ready = None"
    assert start(run, before=uploads + trains).wait() == 0, console(run)
    assert events(run)[-1]["text"] == "trained 12 steps; uploaded frog.safetensors"
    assert content(run.output) == kept


@pytest.mark.faults
def test_after_a_stop_in_the_upload_another_model_is_not_uploaded(make, start, whole):
    """Where the model is not the one that was written, the run goes on from its state."""
    run = make("hub.push=true", "hub.repo_id=owner/frog")
    trainer = start(run, before=STUCK + ON_THE_HUB + "hand_over.publish = stuck")
    wait_until(lambda: "stuck" in console(run), "it uploads")
    stops_at_once(run, trainer)
    (run.output / "frog.safetensors").unlink()
    assert start(run, before=ON_THE_HUB + "hand_over.publish = lambda trained, events: ''").wait() == 0, console(
        run
    )
    assert same_weights(run, whole)


@pytest.mark.faults
def test_while_a_log_does_not_end(make, start):
    run = make("log.tensorboard=true", "train.max_steps=2000")
    hangs = "import trainer_core.logs.tensorboard_log as t\nt.TensorBoardLog.close = stuck"
    trainer = start(run, before=STUCK + hangs)
    wait_for_step(run, 3)
    status, seconds = stop(trainer)
    ended_well_told(run, status, ExitCode.STOPPED)
    assert seconds < 3 + AT_ONCE


@pytest.mark.faults
def test_a_second_signal_while_native_code_writes(make, start):
    run = make("save.every_n_steps=4")
    trainer = start(run, before=STUCK + "import trainer_core.train.state_saver as s\ns.write_checkpoint = stuck")
    wait_until(lambda: "stuck" in console(run), "it saves")
    trainer.send(signal.SIGTERM)
    time.sleep(0.5)
    assert trainer.poll() is None
    status, seconds = stop(trainer)
    assert status == ExitCode.STOPPED
    assert seconds < AT_ONCE
    assert not valid(run)


@pytest.mark.faults
def test_while_paused(make, start, whole):
    from trainer_core.run.control import append_command

    run = make("save.every_n_steps=100")
    trainer = start(run)
    wait_for_step(run, 2)
    append_command(run, "pause")
    wait_for(run, "phase", name="paused")
    used = _cpu_seconds(trainer.pid)
    time.sleep(1)
    assert _cpu_seconds(trainer.pid) - used < 0.2  # it does not spin
    stops_at_once(run, trainer)
    assert start(run).wait() == 0, console(run)
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
