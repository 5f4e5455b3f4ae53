"""A run that is over, with everything that a report shows, and with everything hostile that may lie in it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from trainer_core.config.reader import read_config
from trainer_core.plan import make_plan
from trainer_core.report.seen import write_seen
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lines import encode_line

HOSTILE = 'a frog <script>alert("x")</script> & \u202egnp.\u202c \x1b[31mred</b> [bold]'
"""A caption, and a prompt: markup, bidi overrides, an escape sequence."""
START = 1_800_000_000.0


def soft_picture(path: Path, size: tuple[int, int], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = numpy.random.RandomState(seed).randint(0, 256, (4, 4, 3), dtype=numpy.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)


class Teller:
    """Writes the events of a run that trains 400 steps and is resumed at 200."""

    def __init__(self, run: RunDirectory) -> None:
        self.run, self.events, self.now = run, list[dict[str, Any]](), 0.0

    def add(self, kind: str, **fields: Any) -> None:
        self.events.append({"t": START + self.now, "mono": self.now, "kind": kind, **fields})

    def steps(self, first: int, last: int) -> None:
        for step in range(first, last + 1):
            self.now += 0.5
            loss = 0.1 + 0.2 * math.exp(-step / 80) + 0.03 * math.sin(step * 12.9898)
            self.add(
                "step", step=step, epoch=1 + step // 100, loss=loss, lr=1e-6 * step / 400, lr_text_encoder=5e-7,
                images_per_s=2.0, grad_norm=0.4, vram_gb=9.5 + step / 1000, gpu_temp=60 + step / 20,
            )  # fmt: skip
            if step % 100 == 0:
                self.previews(step)

    def previews(self, step: int) -> None:
        for number, prompt in enumerate(("sls frog in the snow", HOSTILE)):
            path = f"samples/{step:06d}-{number}.png"
            soft_picture(self.run.path / path, (128, 192), step + number)
            self.add("sample", step=step, path=path, prompt=prompt, seed=7)

    def write(self) -> None:
        self.run.events.write_bytes(b"".join(encode_line(event) for event in self.events))


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Return a function that makes a run without a trainer; `exit_code` None: it ended without a word."""

    def make(exit_code: int | None = 0, *, before: bool = True, steps: int = 400) -> RunDirectory:
        data = tmp_path / "private place" / "train" / "3_sls frog"
        for number in range(4):
            soft_picture(data / f"{number}.png", (300, 200), number)
        (data / "0.txt").write_text(HOSTILE, encoding="utf-8")
        run = create_run(tmp_path / "runs", "sls-frog-1", run_toml(tmp_path, before))
        config = read_config(run.run_toml)
        plan = make_plan(config, run.path.parent)
        write_seen(
            run, config.dataset, plan.scan, plan.items, plan.fits, plan.order, plan.total_steps, plan.formula
        )
        run.process_json.write_text(
            json.dumps(
                {
                    "pid": 1, "host": "secret-host", "command_line": ["/opt/venv/bin/python", str(run.path)],
                    "platform": "Linux-6.1", "python": "3.11.7", "versions": {"torch": "2.13.0", "dbtui": "0.1.0"},
                    "gpu": {"name": "RTX <3060>", "driver": "550", "vram_total_gb": 12.0},
                }
            )
        )  # fmt: skip
        tell(Teller(run), tmp_path, exit_code, before, steps)
        return run

    return make


def run_toml(root: Path, before: bool) -> str:
    prompt = json.dumps(HOSTILE)
    return (
        f'schema = 1\nmodel.base = "{root}/private place/base-model.safetensors"\n'
        f'dataset = {{ train_dir = "{root}/private place/train", resolution = [256, 256], flip_aug = true }}\n'
        f"train = {{ max_steps = 400, seed = 3 }}\noptimizer = {{ learning_rate = 2e-6 }}\n"
        f"sample = {{ before_training = {str(before).lower()}, prompts = ["
        f'{{ prompt = "sls frog in the snow", seed = 7 }}, {{ prompt = {prompt}, seed = 7 }}] }}\n'
    )


def tell(teller: Teller, root: Path, exit_code: int | None, before: bool, steps: int) -> None:
    run = teller.run
    teller.add("format", version=1, run=run.name, started=START)
    teller.add("phase", name="load", total=None)
    teller.add("warning", code="note", text=f"{root}/private place/train/3_sls frog/2.png is small", step=0)
    if before:
        teller.previews(0)
    teller.add("phase", name="train", total=400)
    teller.steps(1, min(steps, 230))
    if steps > 230:
        teller.add("checkpoint", step=200, path=str(run.checkpoints / "000200"), seconds=1.0, bytes=10**9)
        teller.add("phase", name="load", total=None)
        teller.add("resumed", from_step=200, run_file="run.2.toml", changed={"train.max_steps": [300, 400]})
        teller.add("phase", name="train", total=400)
        teller.steps(201, steps)
    model = str(run.output / "last.safetensors")
    if exit_code == 0:
        teller.add("saved", step=steps, path=model, seconds=2.0, bytes=2.1e9)
        teller.add("finished", exit_code=0, text=f"trained {steps} steps", step=None, outputs=[model])
    elif exit_code is not None:
        text = f"{root}/private place/x is full\nanother <b>problem</b> with /home/somebody/secret/thing.png"
        teller.add("failed", exit_code=exit_code, text=text, step=None, outputs=[])
    teller.write()
