"""How long a training waits for the saving of its state, against a plain safetensors write of the same bytes.

    python benchmarks/checkpoint.py [--repeats N] [--json]

Several ways take turns in one process: safetensors' own `save_file`, and the same brought to the disk (fsync); a
state saved while the training goes on (the stall is what it waits for); the last state before a stop; and a write
that is synced, read and hashed twice, as this program did at first. Random numbers stand for what is learned. See
docs/benchmarks.md.
"""

import argparse
import gc
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench_model import FULL, TINY, Widths, sd1_configs
from results_file import RESULTS, Spread, ratios, say, write_results
from results_file import machine as this_machine
from safetensors.torch import save_file

from trainer_core.models import modules
from trainer_core.models.quiet import quiet_imports
from trainer_core.train.checkpoint import Checkpoint
from trainer_core.train.state_saver import StateSaver, fits_into_memory

SIZES: dict[str, tuple[str, Widths, torch.dtype]] = {
    "tiny": ("the tiny model, float32, AdamW", TINY, torch.float32),
    "full": ("SD 1.5's U-Net, bf16, 8-bit Lion", FULL, torch.bfloat16),
}
WAYS = ("plain", "plain, synced", "stall", "until it stands", "last state", "hashed twice")
Times = dict[str, list[float]]


def random_state(widths: Widths, dtype: torch.dtype) -> Checkpoint:
    """Return the state of a U-Net's training: 8 bits of optimizer for a bf16 weight, two moments for a float32."""
    unet: Any = modules.build_empty("unet", sd1_configs(widths)["unet"])
    shapes = {f"unet.{name}": parameter.shape for name, parameter in unet.named_parameters()}
    weights = {name: torch.empty(shape, dtype=dtype).uniform_(-1, 1) for name, shape in shapes.items()}
    if dtype is torch.float32:
        names = ("exp_avg", "exp_avg_sq")
        optimizer = [{name: torch.rand(shape) for name in names} for shape in shapes.values()]
    else:
        optimizer = [{"state1": torch.randint(0, 256, shape, dtype=torch.uint8)} for shape in shapes.values()]
    return Checkpoint(step=1, weights=weights, optimizer=optimizer, scaler={}, facts={})


def measure(state: Checkpoint, folder: Path, repeats: int) -> Times:
    """Save `state` in every way, one after the other, `repeats` times; return the seconds of each."""
    ways: dict[str, Callable[[], float]] = {
        "plain": lambda: _timed(lambda: save_file(_together(state), folder / "plain.safetensors")),
        "plain, synced": lambda: _timed(lambda: _hashed(state, folder / "plain.safetensors", times=0)),
        "last state": lambda: _timed(lambda: StateSaver(folder / "last").save_now(state)),
        "hashed twice": lambda: _timed(lambda: _hashed(state, folder / "twice.safetensors", times=2)),
    }
    folder.mkdir(exist_ok=True)
    times: Times = {name: [] for name in WAYS}
    for number in range(repeats):
        for name, way in ways.items():
            times[name].append(way())
            _clear(folder)
        saver = StateSaver(folder / "beside")
        times["stall"].append(_timed(lambda saver=saver: saver.start(state)))
        saved = saver.outcome(wait=True)
        assert saved is not None
        times["until it stands"].append(saved.stall + saved.seconds)
        _clear(folder)
        say(f"{number + 1}/{repeats} " + ", ".join(f"{name} {times[name][-1]:.3f} s" for name in WAYS))
    return times


def summarise(size: str, state_bytes: int, times: Times) -> dict[str, Any]:
    """Return the figures of one size of model."""
    compared = {name: ratios(times[name], times["plain"]).as_dict() for name in WAYS if name != "plain"}
    return {
        "size": SIZES[size][0],
        "bytes": state_bytes,
        "repeats": len(times["plain"]),
        "seconds": {name: Spread.of(times[name]).as_dict() for name in WAYS},
        "ratio_to_plain": compared,
    }


def table_of(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# The saving of a state against a plain safetensors write",
        "",
        "| state | plain write | plain, synced | stall of a save beside the training | until that stands "
        "| last state, at a stop | as it was at first |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        cells = [f"{row['size']}: {row['bytes'] / 1e6:.0f} MB", f"{row['seconds']['plain']['median']:.3f} s"]
        for name in WAYS[1:]:
            ratio = row["ratio_to_plain"][name]
            cells.append(
                f"{row['seconds'][name]['median']:.3f} s, **{ratio['median']:.2f}** "
                f"({ratio['min']:.2f} to {ratio['max']:.2f})"
            )
        lines.append(f"| {' | '.join(cells)} |")
    machine, repeats = results["machine"], " and ".join(str(row["repeats"]) for row in results["rows"])
    lines += [
        "",
        f"Medians of {repeats} interleaved repetitions; bold: the ratio to the plain write (min to max). "
        f"{machine['cpu']} with {machine['cores']} cores (load before and after: "
        f"{machine['load_1_minute_before']}, {results['load_1_minute_after']}).",
        "",
    ]
    return "\n".join(lines)


def _together(state: Checkpoint) -> dict[str, torch.Tensor]:
    tensors = dict(state.weights)
    for index, each in enumerate(state.optimizer):
        tensors |= {f"{index}.{name}": value for name, value in each.items()}
    return tensors


def _hashed(state: Checkpoint, path: Path, *, times: int) -> None:
    """Write, bring to the disk, and then read and hash so many times."""
    save_file(_together(state), path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        for _ in range(times):
            file.seek(0)
            hashlib.file_digest(file, "sha256")


def _timed(action: Callable[[], object]) -> float:
    gc.collect()
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _clear(folder: Path) -> None:
    """Remove what was written, and wait until the disk is at rest."""
    shutil.rmtree(folder)
    folder.mkdir()
    os.sync()


def main() -> int:
    """Measure and write the results."""
    options = _parser().parse_args()
    quiet_imports()
    before, rows = this_machine(), []
    for size in options.sizes:
        _, widths, dtype = SIZES[size]
        say(f"{SIZES[size][0]} ...")
        state = random_state(widths, dtype)
        if not fits_into_memory(state.bytes):
            say("there is not enough free memory for a copy of this state")
            return 1
        repeats = options.repeats if size == "tiny" else max(1, options.repeats // 5)
        with tempfile.TemporaryDirectory(prefix="dbtui-bench-", dir=options.folder) as name:
            rows.append(summarise(size, state.bytes, measure(state, Path(name) / "run", repeats)))
        del state
    after = round(os.getloadavg()[0], 2)
    results = {"benchmark": "checkpoint", "rows": rows, "machine": before, "load_1_minute_after": after}
    table = table_of(results)
    write_results(options.output, results, table)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="of the tiny state; of the full one a fifth")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="of the model (both)")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure (that for temporary files)")
    parser.add_argument("--output", type=Path, default=RESULTS / "checkpoint.json", help="the JSON file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
