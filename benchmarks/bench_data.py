"""What the benchmarks train on: drawn pictures in the real layout, and a run file for them."""

from pathlib import Path

from dbtui.demo.world.write import write_frogs
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config

INSTANCE_PROMPT, CLASS_PROMPT = "sls frog", "frog"


def draw_pictures(folder: Path, side: int, *, subject: int, classes: int) -> tuple[list[Path], list[Path]]:
    """Draw `subject` pictures of one frog and `classes` of others, side x side; return the files of both."""
    train, reg = folder / "train" / f"1_{INSTANCE_PROMPT}", folder / "reg" / f"1_{CLASS_PROMPT}"
    write_frogs(train, subject, subject=True, side=side)
    write_frogs(reg, classes, subject=False, side=side)
    return sorted(train.iterdir()), sorted(reg.iterdir())


def run_config(
    folder: Path, base: Path, *, side: int, batch_size: int, steps: int, learning_rate: float, seed: int
) -> Config:
    """Return the configuration of the comparison: fp32, AdamW, constant learning rate, both modules trained."""
    text = f"""schema = 1
[model]
base = "{base.name}"
[dataset]
train_dir = "train"
reg_dir = "reg"
resolution = [{side}, {side}]
[optimizer]
type = "adamw"
learning_rate = {learning_rate}
[train]
max_steps = {steps}
batch_size = {batch_size}
seed = {seed}
"""
    return parse_config(text, "the benchmark's run file", folder=folder)
