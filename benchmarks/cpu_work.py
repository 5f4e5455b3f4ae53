"""The work whose growth benchmarks/cpu.py looks at: scanning, caching, events; each for a given amount of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy
import torch
from bench_data import draw_pictures
from gpu_run import samples_of
from our_loop import NO_SIGNALS, OurTraining
from PIL import Image
from plain_loop import open_picture

from trainer_core.config.reader import parse_config
from trainer_core.data.cache import LatentsInMemory, fill, frames_of
from trainer_core.narrate import NarratedEvents
from trainer_core.run.control import ControlReader
from trainer_core.run.directory import create_numbered_run
from trainer_core.train.halt import Halt
from trainer_core.train.loop import StepReport
from trainer_core.train.outputs import Outputs
from trainer_core.train.session import Session

DISTINCT = 300
"""Pictures that differ; the others of a large dataset are hard links to these."""

_MEASURED = """
import resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(code, time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a program from a small process: the peak of a child counts what its parent had when it was forked."""


def lay_out(folder: Path, count: int) -> Path:
    """Make a dataset of `count` pictures, with a caption beside each, in ten folders; return it."""
    root, sources = folder / f"scan-{count}", _distinct(folder / "distinct")
    for number in range(count):
        target = root / f"1_s{number % 10}x frog"
        if number < 10:
            target.mkdir(parents=True)
        picture, caption = sources[number % len(sources)]
        os.link(picture, target / f"{number:06d}.png")
        os.link(caption, target / f"{number:06d}.txt")
    return root


def _distinct(folder: Path) -> list[tuple[Path, Path]]:
    pairs = [(folder / f"{number}.png", folder / f"{number}.txt") for number in range(DISTINCT)]
    if not folder.exists():
        folder.mkdir()
        random = numpy.random.RandomState(0)
        for number, (picture, caption) in enumerate(pairs):
            pixels = random.randint(0, 256, (48 + number % 5 * 16, 64, 3), dtype=numpy.uint8)
            Image.fromarray(pixels).save(picture, compress_level=1)
            caption.write_text(f"a frog, number {number}, on a leaf\n", encoding="utf-8")
    return pairs


def scan(root: Path) -> tuple[float, float]:
    """Run `dbtui scan` on a dataset; return its seconds and its peak memory in MiB."""
    command = [sys.executable, "-m", "dbtui", "scan", str(root), "--buckets", "--resolution", "512"]
    done = subprocess.run([sys.executable, "-c", _MEASURED, *command], check=True, capture_output=True, text=True)
    code, seconds, kibibytes = done.stdout.split()
    if code not in {"0", "3"}:  # 3: it found something to say of them
        raise RuntimeError(f"dbtui scan ended with {code}")
    return float(seconds), float(kibibytes) / 1024


def opening(root: Path) -> float:
    """Return the seconds in which a bare loop of Pillow reads the sizes of the same pictures, and captions."""
    started = time.perf_counter()
    for picture in sorted(root.rglob("*.png")):
        with Image.open(picture) as image:
            assert image.size
        picture.with_suffix(".txt").read_text(encoding="utf-8")
    return time.perf_counter() - started


def caching(folder: Path, vae: Any, count: int, side: int) -> tuple[float, float]:
    """Encode `count` pictures as our trainer does, and one after the other; return the seconds of both."""
    root = folder / f"cache-{count}"
    paths, _ = draw_pictures(root, 2 * side, subject=min(count, 20), classes=0)
    for number in range(len(paths), count):
        os.link(paths[number % len(paths)], paths[0].with_name(f"more-{number:04d}.png"))
    text = f'schema = 1\n[dataset]\ntrain_dir = "train"\nresolution = [{side}, {side}]\n'
    config = parse_config(text, "benchmark", folder=root)
    samples = samples_of(config)
    frames = frames_of(samples.items, samples.fits, flip=False)
    store, device = LatentsInMemory(), torch.device("cpu")

    def ours() -> None:
        fill(store, frames, vae, device, workers=4, progress=lambda *_: None, should_stop=lambda: False)

    @torch.no_grad()
    def plain() -> None:
        dealt = (vae.encode(open_picture(frame.picture.path, side)[None]).latent_dist for frame in frames)
        kept = [(posterior.mean, posterior.std) for posterior in dealt]
        assert len(kept) == count

    return _timed(ours), _timed(plain)


def telling(training: OurTraining, steps: int) -> float:
    """Return the CPU seconds of a step's share of events, console, commands and counters, over so many steps.

    The trainer's own session, without the steps themselves; the thread that writes is counted too.
    """
    job = training.job
    if job is None:
        raise RuntimeError("prepare first")
    run = create_numbered_run(training.runs_dir, "events", training.run.run_toml.read_text(encoding="utf-8"))
    with Path(os.devnull).open("w") as console, redirect_stdout(console):
        events = NarratedEvents(run)
        session = Session(
            job, Outputs(job, run, events), events, Halt(ControlReader(run), NO_SIGNALS, events), None
        )
        started, job.step = time.process_time(), 0
        for step in range(1, steps + 1):
            job.step = step
            session.report(StepReport(step, 1, 0.123456789, 1e-6, 0.98765, 3.21))
            session.between_steps()
            if step % 200 == 0:
                events.flush()
        events.close()
    return (time.process_time() - started) / steps


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
