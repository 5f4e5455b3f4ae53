"""Is the checkpoint that a run suggests the one that draws best? Each saved model is judged, on the demo model.

    python benchmarks/suggested.py [MODEL] [--methods full lora] [--rates R ...] [--seeds N] [--add]

Each training is a run of its own, in a process as `dbtui run` starts it, with eight models saved on its way at a
constant learning rate, too many steps for the highest. learning_measure.py judges what each of them draws. --add
keeps the trainings that the file has, and applies the rule of today to what was measured then.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from learning_cases import Case, run_config, shipped_model, write_pictures
from learning_measure import Measure, Measured
from results_file import RESULTS, machine, say, write_results
from world_judge import train_judge

from trainer_core.config.schema import Model
from trainer_core.config.writer import dump_config
from trainer_core.generate.opened import Opened
from trainer_core.generate.request import Request
from trainer_core.generate.source import find_source
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports
from trainer_core.run.directory import RunDirectory, create_numbered_run
from trainer_core.run.events import EventReader
from trainer_core.suggestion import Course, suggest

EVERY, SAVES = 60, 8
PAGE = RESULTS.parents[1] / "docs" / "which-checkpoint.md"
RATES = {"full": (2.5e-4, 5e-4, 1e-3), "lora": (1e-3, 2e-3, 4e-3)}
COURSE: dict[str, dict[str, Any]] = {
    "scheduler": {"type": "constant_with_warmup", "warmup_steps": 20},
    "save": {"every_n_steps": EVERY},
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved model: what the run measured of it, and what it draws."""

    step: int
    loss: float
    drift: float | None
    measured: Measured

    @property
    def worth(self) -> float:
        """The three things that a training is for: the subject, the class beside it, and what was known before."""
        return self.measured.fidelity - self.measured.drift + self.measured.prompts


@dataclass(frozen=True, slots=True)
class Training:
    """One training and its saved models.

    Attributes:
        before: the validation loss of the start model.
    """

    name: str
    before: float
    saved: list[Saved]

    @property
    def suggested(self) -> Saved:
        """The saved model that the run suggests."""
        course = Course()
        course.see({"kind": "validation", "step": 0, "loss": self.before, "drift": 0.0})
        for each in self.saved:
            course.see({"kind": "saved", "step": each.step, "path": str(each.step)})
            course.see({"kind": "validation", "step": each.step, "loss": each.loss, "drift": each.drift})
        found = suggest(course)
        return next(each for each in self.saved if found and each.step == found.step)

    @property
    def best(self) -> Saved:
        """The saved model that is worth most."""
        return max(self.saved, key=lambda each: each.worth)

    @property
    def saves_apart(self) -> int:
        """How many saves the suggestion is from the best."""
        return abs(self.suggested.step - self.best.step) // EVERY


def main() -> None:
    """Train, judge, print and write."""
    words = _parse()
    quiet_imports()
    torch.set_num_threads(1)
    settings = {"every": EVERY, "saves": SAVES, "pictures": words.pictures}
    trainings = _kept(words.output, settings) if words.add else []
    missing = [case for case in _cases(words) if _name(*case) not in {each.name for each in trainings}]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder))
            say("training the judge ...")
            measure = Measure(train_judge(), load_model(Model(base=str(words.model))), pictures=words.pictures)
            for case, seed in missing:
                trainings.append(_training(case, seed, Path(folder), words.model, measure))
                _write(words.output, settings, trainings)
    _write(words.output, settings, trainings)
    sys.stdout.write(_table(trainings))


def _training(case: Case, seed: int, folder: Path, model: Path, measure: Measure) -> Training:
    say(f"{_name(case, seed)} ...")
    config = run_config(case, folder, model, steps=EVERY * SAVES, seed=seed)
    run = create_numbered_run(folder / "runs", "learned", dump_config(config))
    subprocess.run([sys.executable, "-m", "trainer_core", str(run.path)], check=True, stdout=subprocess.DEVNULL)
    course = Course()
    for event in EventReader(run.events).poll():
        course.see(event)
    saved = [_saved(course, step, run, case, model, measure) for step in sorted(course.saved)]
    for each in saved:
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in asdict(each.measured).items())
        say(f"  step {each.step}: loss {each.loss:.4f}, drift {each.drift or 0:.3f}; {numbers}")
    return Training(_name(case, seed), course.measured[0].loss, saved)


def _saved(course: Course, step: int, run: RunDirectory, case: Case, model: Path, measure: Measure) -> Saved:
    drawn_with = _open(run.path / course.saved[step], model)
    numbers = course.measured[step]
    return Saved(step, numbers.loss, numbers.drift, measure.of(drawn_with, case.subject_prompt))


def _open(path: Path, model: Path) -> Any:
    request = Request(model=str(path), prompts=(), out="", base=str(model))
    opened = Opened(find_source(str(path)), request, lambda text: None)
    trained = opened.trained()
    opened.place(torch.device("cpu"), torch.float32)
    return trained


def _cases(words: argparse.Namespace) -> Iterator[tuple[Case, int]]:
    for method in words.methods:
        for rate in words.rates or RATES[method]:
            for prior in (True, False):
                for seed in range(words.seeds):
                    yield Case(method, rate, prior, COURSE), seed


def _name(case: Case, seed: int) -> str:
    return f"{case.title}, seed {seed}"


def _table(trainings: Sequence[Training]) -> str:
    lines = [
        "# The suggested checkpoint",
        "",
        "| training | suggested (worth) | best (worth) | last (worth) | saves from suggested to best |",
        "|---|---|---|---|---|",
    ]
    for each in trainings:
        shown = [f"{one.step} ({one.worth:.2f})" for one in (each.suggested, each.best, each.saved[-1])]
        lines.append(f"| {each.name} | {' | '.join(shown)} | {each.saves_apart} |")
    near = sum(each.saves_apart <= 1 for each in trainings)
    lost = mean(each.best.worth - each.suggested.worth for each in trainings)
    lost_by_last = mean(each.best.worth - each.saved[-1].worth for each in trainings)
    lines += [
        "",
        f"Within one save of {SAVES}: {near} of {len(trainings)}. "
        f"Worth less than the best, on average: {lost:.2f}; the last save: {lost_by_last:.2f}.",
        "",
    ]
    return "\n".join(lines)


def _write(path: Path, settings: dict[str, Any], trainings: Sequence[Training]) -> None:
    kept = [asdict(each) for each in trainings]
    write_results(path, {"machine": machine(), "settings": settings, "trainings": kept}, _table(trainings), PAGE)


def _kept(path: Path, settings: dict[str, Any]) -> list[Training]:
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["settings"] != settings:
        raise SystemExit(f"{path}: measured with {found['settings']}, which {settings} cannot be added to")
    return [
        Training(each["name"], each["before"], [_saved_again(one) for one in each["saved"]])
        for each in found["trainings"]
    ]


def _saved_again(found: dict[str, Any]) -> Saved:
    return Saved(**{**found, "measured": Measured(**found["measured"])})


def _parse() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path, nargs="?", default=shipped_model())
    asked.add_argument("--methods", nargs="+", choices=list(RATES), default=list(RATES))
    asked.add_argument("--rates", nargs="+", type=float)
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--pictures", type=int, default=12, help="drawn for each number")
    asked.add_argument("--add", action="store_true", help="keep what the file has, measure only what it lacks")
    asked.add_argument("--output", type=Path, default=RESULTS / "suggested.json")
    return asked.parse_args()


if __name__ == "__main__":
    main()
