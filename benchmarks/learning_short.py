"""The short form of learning.py: what tests/learning asserts, from three trainings of half a minute in all.

    python benchmarks/learning_short.py [--seeds N ...]

Prints what was measured with each seed, and mean and standard deviation over them.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from denoising import denoising_error
from learning_cases import shipped_model, write_pictures
from learning_measure import CLASS_PROMPT, SUBJECT_PROMPT, draw
from likeness import Likeness
from our_loop import train_whole
from results_file import say
from world_coats import see_coats

from trainer_core.config.schema import Config, Model
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports

PICTURES, DRAWN_IN = 12, 10
"""Pictures for each number, and denoising steps of each."""
STEPS, RATE = 100, 3e-3
WORDS_STEPS, WORDS_RATE = 20, 1e-2
STANDS_STILL = 1e-12
"""A learning rate that moves nothing; 0 is refused."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was measured; `Likeness` says what fidelity and drift are.

    Attributes:
        start: fidelity of the start model's pictures of the subject's prompt.
        subject: that after a training with class pictures.
        others: fidelity of the class prompt's pictures after the same training: low if the subject is told from
            its class by its identifier.
        drift: drift of the class prompt after that training.
        drift_alone: drift after the same training without class pictures.
        words: error at denoising other pictures of the subject once nothing but the text encoder was trained, as
            a share of the start model's.
    """

    start: float
    subject: float
    others: float
    drift: float
    drift_alone: float
    words: float


def learn(folder: Path, *, seed: int) -> Learned:
    """Draw pictures into `folder`, train the shipped model on them three times, and measure."""
    write_pictures(folder)
    model = shipped_model()
    start = load_model(Model(base=str(model)))
    kept = train_whole(_config(folder, model, seed, class_pictures=True), folder / "runs")
    alone = train_whole(_config(folder, model, seed), folder / "runs")
    words = train_whole(_config(folder, model, seed, words_alone=True), folder / "runs")
    likeness = Likeness(see_coats, _draw(start, CLASS_PROMPT))
    kept_class = _draw(kept, CLASS_PROMPT)
    return Learned(
        start=likeness.fidelity(_draw(start, SUBJECT_PROMPT)),
        subject=likeness.fidelity(_draw(kept, SUBJECT_PROMPT)),
        others=likeness.fidelity(kept_class),
        drift=likeness.drift(kept_class),
        drift_alone=likeness.drift(_draw(alone, CLASS_PROMPT)),
        words=denoising_error(words, SUBJECT_PROMPT) / denoising_error(start, SUBJECT_PROMPT),
    )


def _config(
    folder: Path, model: Path, seed: int, *, class_pictures: bool = False, words_alone: bool = False
) -> Config:
    """Return a DreamBooth training. What a picture shows is decided in the noise: no later timestep is trained."""
    tables: dict[str, dict[str, Any]] = {
        "model": {"base": str(model)},
        "dataset": {"train_dir": str(folder / "train"), "resolution": [64, 64], "caption_prefix": "a"},
        "optimizer": {"type": "adamw", "learning_rate": RATE},
        "scheduler": {"type": "cosine", "warmup_steps": 10},
        "train": {"max_steps": STEPS, "batch_size": 8, "seed": seed},
        "loss": {"min_timestep": 500},
    }
    if class_pictures:
        tables["dataset"]["reg_dir"] = str(folder / "reg")
    if words_alone:
        tables["optimizer"]["learning_rate"] = STANDS_STILL
        tables["text_encoder"] = {"learning_rate": WORDS_RATE}
        tables["train"]["max_steps"] = WORDS_STEPS
    return Config.model_validate({"schema": 1, **tables})


def _draw(model: Any, prompt: str) -> Sequence[Any]:
    return draw(model, [prompt] * PICTURES, DRAWN_IN)


def main() -> None:
    """Measure with each seed and print a table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    quiet_imports()
    torch.set_num_threads(1)
    names = [field.name for field in fields(Learned)]
    say(f"| seed | {' | '.join(names)} |\n|---|" + "---|" * len(names))
    found: list[tuple[float, ...]] = []
    for seed in asked.parse_args().seeds:
        with tempfile.TemporaryDirectory() as folder:
            found.append(astuple(learn(Path(folder), seed=seed)))
        say(f"| {seed} | {' | '.join(f'{value:.2f}' for value in found[-1])} |")
    columns = list(zip(*found, strict=True))
    say(f"| mean | {' | '.join(f'{mean(column):.2f}' for column in columns)} |")
    if len(found) > 1:
        say(f"| spread | {' | '.join(f'{stdev(column):.2f}' for column in columns)} |")


if __name__ == "__main__":
    main()
