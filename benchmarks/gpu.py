"""Every shipped preset on a GPU at full size: does it fit its card, how fast is it, what makes the host wait.

    python benchmarks/gpu.py [--steps N] [--only sd15-8gb ...] [--output FILE]
    python benchmarks/gpu.py --tiny                  (the same program on tiny models, to test it; a CPU will do)

Needs no network and no model: SD 1.5 and SD 2.1 are built with random weights from the bundled configurations, and
the pictures are drawn. Memory and speed do not depend on the weights; quality is not measured here. Nothing is
installed: it runs from a checkout, with the libraries of constraints.txt anywhere on PYTHONPATH.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import bare_checkout  # noqa: F401 - before what it makes importable
import torch
from gpu_parts import Bench, parts
from gpu_run import CONTEXT_GB
from gpu_verdict import verdict
from results_file import RESULTS, machine, say, write_results

from dbtui.presets.library import shipped
from trainer_core.models.quiet import quiet_imports

MINUTES = 9.0
"""On a GPU nothing is begun later than that: ten minutes are what a borrowed machine has, as a rule."""


def main() -> int:
    """Measure and write the results; exit code 1 if something is not as it should be."""
    options = _parser().parse_args()
    quiet_imports()
    device = _device(options.device, tiny=options.tiny)
    if device is None:
        say("there is no CUDA device; `--tiny` tests this program without one")
        return 2
    names = options.only or [preset.name for preset in shipped()]
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["DBTUI_CACHE_DIR"] = f"{folder}/cache"
        minutes = options.minutes or (MINUTES if device.type == "cuda" else float("inf"))
        bench = Bench(Path(folder), device, tiny=options.tiny, steps=options.steps, minutes=minutes)
        results: dict[str, Any] = {
            "benchmark": "gpu",
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "tiny": options.tiny,
            "steps": options.steps,
            "context_gb": CONTEXT_GB,
            "machine": machine(),
            "peaks_tflops": {name: round(peak / 1e12, 3) for name, peak in bench.peaks.items()},
            "errors": [],
        }
        output = options.output or (None if options.tiny else _result_of(results["device"]))
        _measure(bench, names, results, output, presets_only=options.presets_only)
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return 1 if results["problems"] else 0


def _measure(
    bench: Bench, names: list[str], results: dict[str, Any], output: Path | None, *, presets_only: bool
) -> None:
    """Put the rows of each part into `results`, and write these after each row: what there is, is not lost."""
    for part, rows in parts(bench, names).items():
        if presets_only and part not in ("presets", "plain"):
            continue
        results[part] = []
        try:
            for row in rows():
                results[part].append(row)
                if output:
                    write_results(output, {**results, "is_whole": False})
        except Exception as error:  # noqa: BLE001 - the other parts go on; the trace is on stderr
            traceback.print_exc()
            results["errors"].append(f"{part}: {type(error).__name__}: {error}")
    results["left_out"] = bench.left_out
    results["problems"] = verdict(results)
    if output:
        write_results(output, results)


def _result_of(device: str) -> Path:
    return RESULTS / f"gpu-{re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')}.json"


def _device(named: str | None, *, tiny: bool) -> torch.device | None:
    """Return the device to measure, which is the current one from now on; None where it is not there."""
    device = torch.device(named or ("cuda" if torch.cuda.is_available() or not tiny else "cpu"))
    if device.type == "cuda":
        if not torch.cuda.is_available():
            return None
        torch.cuda.set_device(device.index or 0)
    return device


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cuda, cuda:N or cpu (cuda; with --tiny the CPU where there is no GPU)")
    parser.add_argument("--tiny", action="store_true", help="tiny models and pictures of 64 x 64")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each training (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="PRESET", help="these presets (all shipped ones)")
    parser.add_argument(
        "--presets-only", action="store_true", help="leave out attention, the ladder and precisions"
    )
    parser.add_argument(
        "--minutes", type=float, help=f"begin nothing later than that ({MINUTES:g} on a GPU, else no limit)"
    )
    parser.add_argument(
        "--output", type=Path, help="the JSON file (benchmarks/results/gpu-<device>.json; none for --tiny)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
