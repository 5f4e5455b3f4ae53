"""What a training learns, measured on the demo model: the subject, the class beside it, and what was known before.

    python benchmarks/learning.py MODEL [--methods full lora hybrid finetune] [--rates R ...] [--seeds N]

MODEL is the demo model, as docs/demo-model.md makes it. Each method trains six pictures of "sls frog" on it, once
for each learning rate and seed, with and without class pictures where it takes them. learning_measure.py says what
each number is, learning_cases.py which learning rates there are without --rates.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import torch
from learning_cases import METHODS, Case, run_config, write_pictures
from learning_measure import Measure, Measured
from our_loop import train_whole
from results_file import RESULTS, machine, say, write_results
from world_judge import train_judge

from trainer_core.config.schema import Model
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports

NUMBERS = [field.name for field in fields(Measured)]


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what was measured of it, one for each seed."""

    case: Case
    measured: list[Measured]

    def spread(self, name: str) -> tuple[float, float]:
        """Return mean and standard deviation over the seeds."""
        values = [getattr(each, name) for each in self.measured]
        return mean(values), pstdev(values)


def main() -> None:
    """Train, judge, print and write."""
    words = _parse()
    quiet_imports()
    torch.set_num_threads(words.threads)
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        say("training the judge ...")
        start = load_model(Model(base=str(words.model)))
        measure = Measure(train_judge(), start, pictures=words.pictures)
        base = measure.of(start)
        results = [_result(case, words, Path(folder), measure) for case in _cases(words)]
    table = _table(base, results)
    found = {
        "machine": machine(),
        "settings": {name: getattr(words, name) for name in ("steps", "seeds", "pictures")},
        "start model": asdict(base),
        "cases": [{**asdict(each.case), "measured": [asdict(one) for one in each.measured]} for each in results],
    }
    write_results(words.output, found, table)
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if words.json else table)


def train_case(case: Case, folder: Path, model: Path, *, steps: int | None, seed: int) -> Any:
    """Train `case` from `model` on what `write_pictures` wrote; return the model with its LoRA in place."""
    return train_whole(run_config(case, folder, model, steps=steps, seed=seed), folder / "runs")


def _result(case: Case, words: argparse.Namespace, folder: Path, measure: Measure) -> Result:
    measured = []
    for seed in range(words.seeds):
        say(f"{case.title}, seed {seed} ...")
        model = train_case(case, folder, words.model, steps=words.steps, seed=seed)
        measured.append(measure.of(model, case.subject_prompt))
        say(", ".join(f"{name} {getattr(measured[-1], name):.2f}" for name in NUMBERS))
    return Result(case, measured)


def _cases(words: argparse.Namespace) -> Iterator[Case]:
    for method in words.methods:
        for rate in words.rates or METHODS[method].rates:
            for prior in (True, False) if METHODS[method].takes_class_pictures else (False,):
                yield Case(method, rate, prior)


def _table(base: Measured, results: list[Result]) -> str:
    head = ["# What is learned", "", f"| training | {' | '.join(NUMBERS)} |", "|---|" + "---|" * len(NUMBERS)]
    untrained = " | ".join(f"{getattr(base, name):.2f}" for name in NUMBERS)
    rows = [f"| start model | {untrained} |"]
    for result in results:
        cells = (f"{middle:.2f} ± {apart:.2f}" for middle, apart in map(result.spread, NUMBERS))
        rows.append(f"| {result.case.title} | {' | '.join(cells)} |")
    return "\n".join([*head, *rows, ""])


def _parse() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path)
    asked.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    asked.add_argument("--rates", nargs="+", type=float)
    asked.add_argument("--steps", type=int, help="in place of those in learning_cases.py")
    asked.add_argument("--seeds", type=int, default=2)
    asked.add_argument("--pictures", type=int, default=16, help="drawn for each number")
    asked.add_argument("--threads", type=int, default=1)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--output", type=Path, default=RESULTS / "learning.json")
    return asked.parse_args()


if __name__ == "__main__":
    main()
