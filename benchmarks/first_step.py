"""Seconds from the start of a process to the end of its first step: our trainer's, and the plain loop's.

Both functions return wall time, and the CPU time of the process until it ended.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench_data import run_config

from trainer_core.config.writer import dump_config
from trainer_core.run.directory import create_numbered_run

_PLAIN = """
import sys
from pathlib import Path
sys.path[:0] = [{benchmarks!r}]
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel
from types import SimpleNamespace
from bench_data import CLASS_PROMPT, INSTANCE_PROMPT
from plain_loop import Pairs, PlainSettings, clip_tokenize, train_plain
import json
torch.set_num_threads({threads})
folder = Path({model!r})
model = SimpleNamespace(
    unet=UNet2DConditionModel.from_pretrained(folder / "unet"),
    vae=AutoencoderKL.from_pretrained(folder / "vae"),
    text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
    scheduler_config=json.loads((folder / "scheduler" / "scheduler_config.json").read_text()),
)
train, reg = (sorted(Path(each).glob("*/*.png")) for each in {pictures!r})
pairs = Pairs(train, reg, (INSTANCE_PROMPT, CLASS_PROMPT), {side}, clip_tokenize(folder))
settings = PlainSettings(steps=1, pairs=1, side={side}, learning_rate=1e-6, seed=1, cache_latents=True)
train_plain(model, pairs, settings, lambda *_: None)
"""


def our_first_step(folder: Path, base: Path, side: int, threads: int) -> tuple[float, float]:
    """Train one step as `dbtui run` starts it: checks, caching, events; until the step's event is there."""
    config = run_config(folder, base, side=side, batch_size=2, steps=1, learning_rate=1e-6, seed=1)
    train = config.train.model_copy(update={"cpu_threads": threads})
    run = create_numbered_run(folder / "runs", "first", dump_config(config.model_copy(update={"train": train})))
    started, before = time.time(), _cpu_of_children()
    subprocess.run([sys.executable, "-m", "trainer_core", str(run.path)], check=True, capture_output=True)
    events = [json.loads(line) for line in run.events.read_text(encoding="utf-8").splitlines()]
    told = float(next(event["t"] for event in events if event["kind"] == "step"))
    return told - started, _cpu_of_children() - before


def plain_first_step(folder: Path, model: Path, side: int, threads: int) -> tuple[float, float]:
    """Train one step of the plain loop with cached latents, from a Diffusers folder, until the process ends."""
    program = _PLAIN.format(
        benchmarks=str(Path(__file__).parent),
        model=str(model),
        pictures=(str(folder / "train"), str(folder / "reg")),
        side=side,
        threads=threads,
    )
    started, before = time.perf_counter(), _cpu_of_children()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return time.perf_counter() - started, _cpu_of_children() - before


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
