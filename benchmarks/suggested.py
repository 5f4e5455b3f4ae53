"""Is the checkpoint that a run suggests the one that draws best? Each saved model is judged, on the demo model.

    python benchmarks/suggested.py [MODEL] [--methods full lora] [--seeds N]

Each training is a run of its own, in a process as `dbtui run` starts it, with eight models saved on its way at a
constant learning rate, too many steps for the highest. learning_measure.py judges what each of them draws.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
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
from trainer_core.suggestion import Course, Suggestion, suggest

EVERY, SAVES = 60, 8
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
        """The subject's fidelity, less what the class lost: both are differences of the same cosines."""
        return self.measured.fidelity - self.measured.drift


@dataclass(frozen=True, slots=True)
class Told:
    """A training, its saved models, and what it suggests."""

    case: Case
    seed: int
    saved: list[Saved]
    suggestion: Suggestion

    @property
    def best(self) -> Saved:
        """The saved model that is worth most."""
        return max(self.saved, key=lambda each: each.worth)

    @property
    def saves_apart(self) -> int:
        """How many saves the suggestion is from the best."""
        return abs(self.suggestion.step - self.best.step) // EVERY


def main() -> None:
    """Train, judge, print and write."""
    words = _parse()
    quiet_imports()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        say("training the judge ...")
        judge = train_judge()
        measure = Measure(judge, load_model(Model(base=str(words.model))), pictures=words.pictures)
        told = [_told(case, seed, Path(folder), words.model, measure) for case, seed in _cases(words)]
    table = _table(told)
    found = {
        "machine": machine(),
        "settings": {"every": EVERY, "saves": SAVES, "pictures": words.pictures},
        "trainings": [_as_dict(each) for each in told],
    }
    write_results(words.output, found, table)
    sys.stdout.write(table)


def _told(case: Case, seed: int, folder: Path, model: Path, measure: Measure) -> Told:
    say(f"{case.title}, seed {seed} ...")
    config = run_config(case, folder, model, steps=EVERY * SAVES, seed=seed)
    run = create_numbered_run(folder / "runs", "learned", dump_config(config))
    subprocess.run([sys.executable, "-m", "trainer_core", str(run.path)], check=True, stdout=subprocess.DEVNULL)
    course = Course()
    for event in EventReader(run.events).poll():
        course.see(event)
    suggestion = suggest(course)
    if suggestion is None:
        raise RuntimeError(f"{run.path}: no model was saved")
    saved = [_saved(course, step, run, case, model, measure) for step in sorted(course.saved)]
    for each in saved:
        numbers = ", ".join(f"{name} {value:.2f}" for name, value in asdict(each.measured).items())
        say(f"  step {each.step}: loss {each.loss:.4f}, drift {each.drift or 0:.3f}; {numbers}")
    say(f"  suggested: {suggestion.step}, {suggestion.reason}")
    return Told(case, seed, saved, suggestion)


def _saved(course: Course, step: int, run: RunDirectory, case: Case, model: Path, measure: Measure) -> Saved:
    path = run.path / course.saved[step]
    drawn_with = _open(path, model)
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


def _table(told: Sequence[Told]) -> str:
    head = "| training | suggested | draws best | saves apart | worth of both |"
    rows = [head, "|---|---|---|---|---|"]
    for each in told:
        at = {saved.step: saved.worth for saved in each.saved}
        suggested, best = each.suggestion.step, each.best
        cells = (f"{each.case.title}, seed {each.seed}", suggested, best.step, each.saves_apart)
        rows.append(f"| {' | '.join(map(str, cells))} | {at[suggested]:.2f}, {best.worth:.2f} |")
    return "\n".join([*rows, ""])


def _as_dict(told: Told) -> dict[str, Any]:
    case = {"method": told.case.method, "rate": told.case.rate, "prior": told.case.prior, "seed": told.seed}
    suggested = {"suggested": told.suggestion.step, "reason": told.suggestion.reason, "best": told.best.step}
    return {**case, **suggested, "saved": [asdict(each) for each in told.saved]}


def _parse() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path, nargs="?", default=shipped_model())
    asked.add_argument("--methods", nargs="+", choices=list(RATES), default=list(RATES))
    asked.add_argument("--rates", nargs="+", type=float)
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--pictures", type=int, default=12, help="drawn for each number")
    asked.add_argument("--output", type=Path, default=RESULTS / "suggested.json")
    return asked.parse_args()


if __name__ == "__main__":
    main()
