"""Writes trainer_core/assets/memory.json: what phases of a run need, rehearsed for every row of the table.

    python tools/predict_memory.py [--anew] [--only WORDS]

What the file has already is kept, unless --anew is given, so that the work can be stopped and goes on. An hour.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import torch

from trainer_core.config.learning_rules import ONLY_FLOAT32
from trainer_core.config.schema import Optimizer
from trainer_core.memory import survey
from trainer_core.memory.row import Row, rows
from trainer_core.memory.table import FORMAT, RANKS, SIDES

FILE = Path(__file__).resolve().parents[1] / "trainer_core" / "assets" / "memory.json"
POINTS = (1, 4)
"""Pictures in a batch at which a pass is rehearsed."""
OPTIMIZERS = get_args(Optimizer.model_fields["type"].annotation)
Task = tuple[str, str, Callable[[], Any]]
"""A table's section, a key in it, and what measures its value."""


def main() -> int:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--anew", action="store_true", help="measure everything, also what the file has")
    parser.add_argument("--only", default="", help="only what has these words in its section and key")
    parser.add_argument("--into", type=Path, default=FILE, help="another file than the package's")
    options = parser.parse_args()
    file: Path = options.into
    torch.set_num_threads(1)
    table: dict[str, Any] = {} if options.anew or not file.exists() else json.loads(file.read_text())
    libraries = {name: version(name).partition("+")[0] for name in ("torch", "diffusers", "transformers")}
    table |= {"format": FORMAT, "made_with": libraries}
    for section, key, measure in tasks():
        if key in table.get(section, {}) or not all(word in f"{section} {key}" for word in options.only.split()):
            continue
        started = time.monotonic()
        table.setdefault(section, {})[key] = measure()
        print(f"{section} {key}: {time.monotonic() - started:.0f} s", flush=True)
        text = json.dumps(table, indent=None, sort_keys=True).replace('}, "', '},\n"').replace('{"', '{\n"', 1)
        file.write_text(text + "\n", encoding="utf-8")
    return 0


def tasks() -> Iterator[Task]:
    """Yield all that the table holds, the most wanted first."""
    for side in SIDES:
        yield "cache", str(side), partial(survey.measure_cache, side)
    for row in rows():
        yield "pass", row.key, partial(survey.measure_pass, row, POINTS)
        if row.train == "full" and row.checkpointing:
            yield "sample", f"{row.family} {row.precision}", partial(survey.measure_sample, row, SIDES)
        if row.family == "sd1" and row.base_dtype == "same" and row.trained in {"full-16", "full-32", "lora-32"}:
            yield "update", row.trained, partial(survey.measure_updates, row, _optimizers(row))
    for name, rank in RANKS.items():
        row = Row("sd1", "lora", "mixed", False)
        yield "rank", name, partial(survey.measure_pass, row, (1,), **{name: rank})


def _optimizers(row: Row) -> list[str]:
    """Return the optimizers that the configuration allows for a row's weights."""
    return [name for name in OPTIMIZERS if row.precision != "sixteen" or name not in ONLY_FLOAT32]


if __name__ == "__main__":
    sys.exit(main())
