"""What can be compared on a CPU, as ratios of one run, and how each grows as its work grows tenfold.

    python benchmarks/cpu.py [--repeats N] [--quick] [--json]

Both sides of a ratio take turns on the same machine, so that whatever else it does slows both. See
docs/benchmarks.md.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import vs_diffusers
from bench_data import draw_pictures, run_config
from bench_model import FIFTH, TINY, Widths, random_model, sd1_configs
from cpu_table import readme_with, table_of
from cpu_work import caching, lay_out, opening, scan, telling
from dashboard_share import dashboard_share
from first_step import our_first_step, plain_first_step
from our_loop import OurTraining
from results_file import RESULTS, Spread, machine, ratios, say, write_results

from trainer_core.config.writer import dump_config
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports
from trainer_core.models.save import save_model

README = Path(__file__).resolve().parents[1] / "README.md"
HALF = Widths(unet=(160, 320, 640, 640), vae=(64, 128, 256, 256), text=384, text_layers=12)
MOST_EVENTS, MOST_DASHBOARD = 0.01, 0.03
SIDE = 64


def first_steps(folder: Path, repeats: int, threads: int) -> Iterator[dict[str, Any]]:
    """Yield how long it takes from the start of a process to its first step, ours beside the plain loop's."""
    model = random_model(sd1_configs(TINY))
    file = save_model(model, folder / "tiny", format="safetensors", precision="float").paths[0]
    diffusers = save_model(model, folder / "tiny-diffusers", format="diffusers", precision="float").paths[0]
    draw_pictures(folder, SIDE, subject=4, classes=4)
    ours, plain = [], []
    for _ in range(repeats):
        ours.append(our_first_step(folder, file, SIDE, threads))
        plain.append(plain_first_step(folder, diffusers, SIDE, threads))
    for number, name in enumerate(("start to first step, tiny model", "CPU time of a whole training of one step")):
        yield _row(name, "s", [each[number] for each in ours], [each[number] for each in plain])


def steps(folder: Path, repeats: int, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield seconds of a step, ours beside the plain loop's with cached latents."""
    sizes = {"tiny": (TINY, 64, 20)} if quick else {"tiny": (TINY, 64, 40), "half-width": (HALF, 128, 6)}
    for name, (widths, side, count) in sizes.items():
        vs_diffusers.WIDTHS[name] = widths
        own = folder / f"steps-{name}"
        comparison = vs_diffusers.set_up(own, name, side=side, pairs=1, steps=count, pictures=4)
        times = []
        for _ in range(repeats if name == "tiny" else max(1, repeats // 2)):
            ours, plain = comparison.ours(), comparison.plain(cache_latents=True)
            times.append((ours.cpu_step_s, plain.cpu_step_s))
            gc.collect()
        yield _row(f"a step, {name} U-Net at {side}: CPU time", "s", *zip(*times, strict=True))


def cachings(folder: Path, repeats: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield how long encoding pictures takes, beside doing it one after the other, and its growth."""
    vae: Any = random_model(sd1_configs(FIFTH)).vae
    few = [caching(folder / f"few-{number}", vae, count, SIDE) for number in range(repeats)]
    many = caching(folder / "many", vae, 10 * count, SIDE)
    row = _row(f"caching {count} pictures at {SIDE} x {SIDE}", "s", *zip(*few, strict=True))
    yield {**row, "growth": _growth(many[0], row["ours"]), "per_second": round(10 * count / many[0], 1)}


def scans(folder: Path, repeats: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield how long `dbtui scan` takes beside a bare loop that opens the same files, and its peak memory."""
    small, large = lay_out(folder, count), lay_out(folder, 10 * count)
    times = []
    for _ in range(repeats):
        (seconds, memory), bare = scan(small), opening(small)
        times.append((seconds, bare, memory))
    ours, bare_ones, memories = zip(*times, strict=True)
    row = _row(f"dbtui scan of {count:,} pictures, beside opening them", "s", ours, bare_ones)
    (seconds, memory), bare = scan(large), opening(large)
    peak = Spread.of(memories).median
    yield {**row, "growth": _growth(seconds, row["ours"]), "mib": round(peak), "mib_growth": _growth(memory, peak)}
    yield _row(f"dbtui scan of {10 * count:,} pictures", "s", [seconds], [bare]) | {"mib": round(memory)}


def events(folder: Path, repeats: int, step_rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what events, commands and counters take of a step's CPU time."""
    draw_pictures(folder, SIDE, subject=4, classes=4)
    base = folder.parent / "first" / "tiny.safetensors"
    config = run_config(folder, base, side=SIDE, batch_size=2, steps=10**6, learning_rate=1e-6, seed=1)
    model_settings = config.model.model_copy(update={"base": str(base)})
    training = OurTraining(
        config.model_copy(update={"model": model_settings}), folder / "runs", torch.device("cpu")
    )
    try:
        training.prepare(load_model(model_settings))
        few = Spread.of([telling(training, 500) for _ in range(repeats)])
        many = telling(training, 5000)
    finally:
        training.close()
    for row in step_rows:
        share = few.median / row["ours"]
        yield {
            "row": f"events of a step, share of {row['row'].split(':')[0]}",
            "unit": "share",
            "ours": round(share, 6),
            "goal": MOST_EVENTS,
            "reached": share < MOST_EVENTS,
            "growth": _growth(10 * many, few.median),
            "microseconds": round(few.median * 1e6, 1),
        }


def dashboards(folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the share of a core that a dashboard takes, after few and after many steps."""
    draw_pictures(folder, SIDE, subject=1, classes=1)
    config = run_config(
        folder, folder / "m.safetensors", side=SIDE, batch_size=1, steps=9, learning_rate=1, seed=1
    )
    text = dump_config(config)
    shares = {
        past: dashboard_share(folder, text, past=past, per_second=2, seconds=seconds) for past in (1000, 10_000)
    }
    fast = dashboard_share(folder, text, past=1000, per_second=20, seconds=seconds)
    yield {
        "row": "dashboard of a live run, two steps a second, share of a core",
        "unit": "share",
        "ours": round(shares[1000], 4),
        "goal": MOST_DASHBOARD,
        "reached": shares[1000] < MOST_DASHBOARD,
        "growth": _growth(shares[10_000], shares[1000]),
        "growth_of_rate": _growth(fast, shares[1000]),
    }


def _row(name: str, unit: str, ours: Any, plain: Any) -> dict[str, Any]:
    """Return a comparison: medians of both, and the ratio of the other to ours, above 1 where ours is faster."""
    say(f"{name}: ours {Spread.of(ours).median:.3g}, plain {Spread.of(plain).median:.3g}")
    return {
        "row": name,
        "unit": unit,
        "ours": round(Spread.of(ours).median, 6),
        "plain": round(Spread.of(plain).median, 6),
        "ratio": ratios(plain, ours).as_dict(2),
        "repeats": len(ours),
    }


def _growth(large: float, small: float) -> float:
    return round(large / small, 2)


def measure(folder: Path, repeats: int, *, quick: bool, threads: int) -> list[dict[str, Any]]:
    """Return every row."""
    places = {name: folder / name for name in ("first", "steps", "caching", "scan", "events", "dashboard")}
    for place in places.values():
        place.mkdir()
    seconds = 3.0 if quick else 20.0
    shares = list(dashboards(places["dashboard"], seconds))
    rows = list(first_steps(places["first"], repeats, threads))
    step_rows = list(steps(places["steps"], repeats, quick=quick))
    rows += step_rows
    rows += cachings(places["caching"], repeats, 4 if quick else 20)
    rows += scans(places["scan"], 1 if quick else repeats, 100 if quick else 10_000)
    return [*rows, *events(places["events"], repeats, step_rows), *shares]


def main() -> int:
    """Measure and write the results; exit code 1 if a goal is missed."""
    options = _parser().parse_args()
    quiet_imports()
    torch.set_num_threads(options.threads)
    before = machine()
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as name:
        os.environ["DBTUI_CACHE_DIR"] = f"{name}/cache"
        os.environ["DBTUI_STATE_DIR"] = f"{name}/state"
        os.environ["DBTUI_CONFIG_DIR"] = f"{name}/config"
        rows = measure(Path(name), options.repeats, quick=options.quick, threads=options.threads)
    results = {
        "benchmark": "cpu",
        "machine": before,
        "load_1_minute_after": round(os.getloadavg()[0], 2),
        "threads": options.threads,
        "repeats": options.repeats,
        "rows": rows,
    }
    table = table_of(results)
    write_results(options.output, results, table)
    if options.output.parent == RESULTS:
        README.write_text(readme_with(README.read_text(encoding="utf-8"), results), encoding="utf-8")
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else table)
    return 0 if all(row.get("reached", True) for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each comparison (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="little of everything, to test this program")
    parser.add_argument("--output", type=Path, default=RESULTS / "cpu.json", help="the JSON file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
