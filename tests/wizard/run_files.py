"""Runs as a trainer leaves them, made of nothing but files, always the same."""

import math
import os
from pathlib import Path

from PIL import Image, ImageDraw

from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lines import encode_line

BEGAN = 1_750_000_000.0
"""A day in June 2025: far enough from any clock to be told as a date."""
RUN_TOML = """\
schema = 1
[model]
base = "/models/v1-5-pruned.safetensors"
[preset]
name = "sd15-12gb"
title = "12 GB"
[[concept]]
identifier = "sls"
class = "frog"
instance_dir = "/pictures/sls"
[train]
max_steps = 1600
"""


def make_run(
    runs_dir: Path,
    name: str,
    steps: int = 0,
    *,
    code: int | None = None,
    text: str = "done",
    previews: tuple[int, ...] = (),
) -> RunDirectory:
    """Make a run that trained so many steps; with `code` it ended, with `previews` it drew pictures."""
    run = create_run(runs_dir, name, RUN_TOML)
    number = len(list(runs_dir.iterdir()))
    os.utime(run.run_toml, (BEGAN + number, BEGAN + number))
    events = EventFile(run)
    if steps:
        events.add("format", version=1, run=name, started=BEGAN)
        events.add("phase", name="train", total=1600, epochs=2, steps_per_epoch=800)
    for step in range(steps + 1):
        if step:
            events.step(step)
        if step in previews:
            events.preview(step)
    if code is not None:
        events.end(steps, code, text)
    events.write()
    if code is not None:
        os.utime(run.events, (BEGAN, BEGAN))
    return run


class EventFile:
    """What a run's trainer wrote; `write` puts it on the disk."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self._lines: list[bytes] = []

    def add(self, kind: str, **fields: object) -> None:
        count = len(self._lines)
        self._lines.append(encode_line({"t": BEGAN + count, "mono": 10.0 + count, "kind": kind, **fields}))

    def step(self, step: int) -> None:
        loss = 0.1 + 0.05 * math.exp(-step / 120) + 0.02 * math.sin(step * 12.9898)
        self.add(
            "step", step=step, epoch=1 + step // 800, loss=loss, lr=1e-6, images_per_s=1.92, grad_norm=0.41,
            vram_gb=10.1 - math.exp(-step / 20),
        )  # fmt: skip

    def preview(self, step: int, prompt: str = "a photo of sls frog in the snow") -> None:
        self.run.samples.mkdir(exist_ok=True)
        picture = Image.new("RGB", (64, 64), (20, 120, 60) if step == 0 else (180, 60, 40))
        ImageDraw.Draw(picture).ellipse((16, 16, 48, 48), fill=(240, 220, 90))
        picture.save(self.run.samples / f"{step:06}-0.png")
        self.add("sample", step=step, path=f"samples/{step:06}-0.png", prompt=prompt, seed=1)

    def end(self, step: int, code: int, text: str) -> None:
        self.run.output.mkdir(exist_ok=True)
        (self.run.output / "sls-frog.safetensors").write_bytes(b"weights")
        self.add("saved", step=step, path="output/sls-frog.safetensors", seconds=3.4, bytes=7)
        kind = "finished" if code == 0 else "failed"
        outputs = ["output/sls-frog.safetensors"] if code == 0 else []
        self.add(kind, exit_code=code, text=text, step=step, outputs=outputs)

    def write(self) -> None:
        with self.run.events.open("ab") as file:
            file.writelines(self._lines)
        self._lines = []
