"""What a training learns, measured on the demo model: the subject, the class beside it, and what was known before.

    python benchmarks/learning.py [MODEL] [--methods full lora hybrid finetune] [--rates R ...] [--seeds N] [--add]

MODEL is the demo model (docs/demo-model.md), by default the shipped one. Each method trains six pictures of
"sls frog" on it, once for each learning rate and seed, with and without class pictures where it takes them.
learning_measure.py says what each number is, learning_cases.py which learning rates there are without --rates.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from learning_cases import METHODS, Case, run_config, shipped_model, write_pictures
from learning_measure import Measure
from learning_results import NUMBERS, LearningResults, Row
from our_loop import train_whole
from results_file import PAGE, RESULTS, say
from world_judge import train_judge

from trainer_core.config.schema import Model
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports


def main() -> None:
    """Train, judge, print and write."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    asked.add_argument("--rates", nargs="+", type=float)
    add_options(asked, seeds=2, output=RESULTS / "learning.json")
    words = asked.parse_args()
    results = LearningResults(words.output, "What is learned", PAGE, is_kept=words.add)
    measure_all([(case.title, case) for case in _cases(words)], words, results)
    sys.stdout.write(results.table())


def add_options(asked: argparse.ArgumentParser, *, seeds: int, output: Path) -> None:
    """Add what every program that trains such cases takes."""
    asked.add_argument("model", type=Path, nargs="?", default=shipped_model())
    asked.add_argument("--steps", type=int, help="in place of those in learning_cases.py")
    asked.add_argument("--seeds", type=int, default=seeds)
    asked.add_argument("--pictures", type=int, default=16, help="drawn for each number")
    asked.add_argument("--add", action="store_true", help="keep what the file has, measure only what it lacks")
    asked.add_argument("--output", type=Path, default=output)


def measure_all(cases: list[tuple[str, Case]], words: argparse.Namespace, results: LearningResults) -> None:
    """Train each of `cases`, under its name, with each seed, and write what it draws as soon as that is judged."""
    quiet_imports()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        say("training the judge ...")
        start = load_model(Model(base=str(words.model)))
        measure = Measure(train_judge(), start, pictures=words.pictures)
        results.begin(measure.of(start), {"steps": words.steps, "pictures": words.pictures})
        for name, case in cases:
            for seed in range(words.seeds):
                if results.has(name, seed):
                    continue
                say(f"{name}, seed {seed} ...")
                model = train_case(case, Path(folder), words.model, steps=words.steps, seed=seed)
                row = Row(name, case.method, seed, measure.of(model, case.subject_prompt))
                results.add(row)
                say(", ".join(f"{number} {getattr(row.measured, number):.2f}" for number in NUMBERS))


def train_case(case: Case, folder: Path, model: Path, *, steps: int | None, seed: int) -> Any:
    """Train `case` from `model` on what `write_pictures` wrote; return the model with its LoRA in place."""
    return train_whole(run_config(case, folder, model, steps=steps, seed=seed), folder / "runs")


def _cases(words: argparse.Namespace) -> Iterator[Case]:
    for method in words.methods:
        for rate in words.rates or METHODS[method].rates:
            for prior in (True, False) if METHODS[method].takes_class_pictures else (False,):
                yield Case(method, rate, prior)


if __name__ == "__main__":
    main()
