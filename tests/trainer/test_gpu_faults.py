"""Faults as a GPU shows them: rows 3, 19 and 22 to 24 of the acceptance table on real hardware."""

import importlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SIDE, BATCH = 512, 16
TABLES = f"""schema = 1
dataset = {{ train_dir = "train", reg_dir = "reg", resolution = [{SIDE}, {SIDE}] }}
optimizer = {{ type = "adamw", learning_rate = 1e-5 }}
train = {{ max_steps = 3, batch_size = {BATCH} }}
"""
PROMPT = '[[sample.prompts]]\nprompt = "sls frog"\nsteps = 2\n'

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture
def make_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorder):
    """Prepare the tiny model on the GPU; its activations are most of what a step needs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    importlib.import_module("bench_data").draw_pictures(tmp_path, SIDE, subject=BATCH, classes=BATCH)
    samples_of = importlib.import_module("gpu_run").samples_of
    from trainer_core.config.reader import parse_config
    from trainer_core.models.tiny import build_tiny
    from trainer_core.train.job import prepare

    def make(text: str = TABLES):
        config = parse_config(text, "test", folder=tmp_path)
        device, cache = torch.device("cuda"), tmp_path / "cache"
        samples = samples_of(config)
        return prepare(config, samples, build_tiny(), device, recorder, cache_dir=cache, should_stop=lambda: False)

    return make


@contextmanager
def memory_limit(size: float) -> Iterator[None]:
    """Let this process have so many bytes of the device, what it has now included."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(size / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def gradients(job, passes) -> tuple[float, torch.Tensor]:
    computed = passes.of_step(0, job.loader.step(0))
    gradient = torch.cat([parameter.grad.flatten().cpu() for parameter in job.parameters.values()])
    passes.drop_gradients()
    return float(computed.loss), gradient


def reserved() -> int:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved()


@pytest.mark.row(22)
def test_a_real_lack_of_memory_is_met_with_halves_of_the_same_gradient(make_job, recorder):
    from trainer_core.train.passes import Passes

    job = make_job()
    passes = Passes(job)
    placed = reserved()
    torch.cuda.reset_peak_memory_stats()
    loss, gradient = gradients(job, passes)
    needed = torch.cuda.max_memory_reserved() - placed
    assert needed > 2**28  # else the allocator's own granularity decides
    with memory_limit(placed + 0.7 * needed):
        loss_of_halves, gradient_of_halves = gradients(job, passes)
    assert list(passes.most.values()) in ([BATCH // 2], [BATCH // 4])
    assert loss_of_halves == pytest.approx(loss, rel=1e-5)
    assert float((gradient_of_halves - gradient).norm() / gradient.norm()) < 1e-4
    assert next(event["code"] for event in recorder.events if event["kind"] == "warning") == "out_of_memory"


@pytest.mark.row(23)
def test_a_picture_that_does_not_fit_leaves_nothing_of_the_step_on_the_device(make_job):
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.train.loop import train

    job = make_job()
    placed = reserved()
    with memory_limit(placed + 2**22), pytest.raises(UserError) as caught:
        train(job, lambda report: None, lambda: True)
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert reserved() <= placed + 2**22
    assert all(bool(parameter.isfinite().all()) for parameter in job.parameters.values())
    train(job, lambda report: None, lambda: True)  # with the memory back it goes on
    assert job.step == job.samples.total_steps


@pytest.mark.row(24)
def test_a_preview_that_does_not_fit_leaves_nothing_behind(make_job, recorder, tmp_path):
    from trainer_core.run.directory import RunDirectory
    from trainer_core.train.outputs import Outputs

    job = make_job(TABLES + PROMPT)
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder)
    placed = reserved()
    with memory_limit(placed + 2**24):
        assert outputs.draw_previews() == 0
    assert recorder.events[-1]["code"] == "preview_out_of_memory"
    assert reserved() <= placed
    assert outputs.draw_previews() == 1


@pytest.mark.row(19)
@pytest.mark.parametrize("kind", ["adamw", "adamw8bit", "paged_adamw8bit", "lion8bit", "prodigy"])
def test_a_loss_that_is_not_a_number_never_reaches_the_weights(kind: str, make_job, monkeypatch):
    from trainer_core.errors import ExitCode, UserError
    from trainer_core.train import passes
    from trainer_core.train.loop import train

    text = TABLES.replace('"adamw"', f'"{kind}"').replace(f"batch_size = {BATCH}", "batch_size = 2")
    job, true_losses = make_job(text), passes.batch_losses

    def broken(job, batch, generator):
        losses = true_losses(job, batch, generator)
        return losses * math.nan if job.step == 1 else losses

    monkeypatch.setattr(passes, "batch_losses", broken)
    with pytest.raises(UserError, match="Step 2: the loss of all 2 pictures") as caught:
        train(job, lambda report: None, lambda: True)
    assert caught.value.code is ExitCode.NON_FINITE
    assert all(bool(parameter.isfinite().all()) for parameter in job.parameters.values())


@pytest.mark.row(3)
def test_a_signal_in_a_step_saves_and_a_resume_ends_the_training(tmp_path: Path, monkeypatch):
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny
    from trainer_core.run.directory import create_run
    from trainer_core.run.events import EventReader

    monkeypatch.syspath_prepend(str(BENCHMARKS))
    importlib.import_module("bench_data").draw_pictures(tmp_path, 128, subject=4, classes=4)
    save_model(build_tiny(), tmp_path / "tiny", format="safetensors", precision=None, metadata={})
    steps = 400
    run = create_run(
        tmp_path / "runs",
        "frog",
        f"""schema = 1
model.base = "{tmp_path / "tiny.safetensors"}"
dataset = {{ train_dir = "{tmp_path / "train"}", reg_dir = "{tmp_path / "reg"}", resolution = [128, 128] }}
train.max_steps = {steps}
memory.mixed_precision = "bf16"
""",
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "trainer_core", str(run.path)], stdout=subprocess.DEVNULL)

    def done() -> int:
        return max(
            (event["step"] for event in EventReader(run.events).poll() if event["kind"] == "step"), default=0
        )

    trainer = start()
    while done() < 5:
        assert trainer.poll() is None
        time.sleep(0.05)
    os.kill(trainer.pid, signal.SIGTERM)
    told = time.monotonic()
    assert trainer.wait(60) == 75
    assert time.monotonic() - told < 15
    assert start().wait(300) == 0
    assert done() == steps
