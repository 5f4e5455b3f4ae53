"""How long dbtui takes to answer, against a bare program that imports typer and rich; and the app's first frame.

    python benchmarks/cold_start.py [--runs N] [--json] [--harlequin PATH]

With the path of an installed harlequin its first frame is measured the same way, in turn with ours:

    python -m venv /tmp/harlequin && /tmp/harlequin/bin/pip install harlequin
    python benchmarks/cold_start.py --harlequin /tmp/harlequin/bin/harlequin

Every command is a fresh process of the same interpreter, one after the other and again, so that a busy machine
slows all of them. The figures inform; the exit code is 0 as long as every command worked.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_data import draw_pictures
from first_frame import SIZE, Program, first_frame, harlequin, our_app
from results_file import RESULTS, Spread, machine, ratios, say, write_results

ALLOWED = 2.0
BARE = """
import typer, rich
app = typer.Typer()
@app.command()
def hello(name: str) -> None:
    '''Say hello.'''
app(["--help"])
"""
_WITH_MODULES = """
import runpy, sys
arguments = {arguments!r}
try:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__")
    else:
        exec(arguments[1])
except SystemExit:
    pass
print("==", *sys.modules, sep="\\n")
"""
HEAVY = ("torch", "diffusers", "transformers", "accelerate", "textual")


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is timed: arguments of the interpreter, by name."""
    dbtui = ["-m", "dbtui"]
    return {
        "bare typer + rich --help": ["-c", BARE],
        "dbtui --help": [*dbtui, "--help"],
        "dbtui token sks": [*dbtui, "token", "sks"],
        "dbtui scan (16 pictures)": [*dbtui, "scan", str(folder / "train"), "--reg", str(folder / "reg")],
        "dbtui preset list": [*dbtui, "preset", "list"],
    }


def time_once(arguments: list[str]) -> float:
    """Return the seconds that a fresh interpreter takes for `arguments`; what fails raises."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def version_of(program: Path) -> str:
    """Return the version that a program tells of itself."""
    done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[0]


def modules_of(arguments: list[str]) -> list[str]:
    """Return the modules that a fresh interpreter has loaded after `arguments`."""
    program = _WITH_MODULES.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.rpartition("==\n")[2].split()


def measure(folder: Path, runs: int) -> dict[str, Any]:
    """Time every command `runs` times, interleaved; one round before that is not counted."""
    timed = commands(folder)
    times: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(runs + 1):
        for name, arguments in timed.items():
            seconds = time_once(arguments)
            if number:
                times[name].append(seconds)
        say(f"{number}/{runs}")
    bare = next(iter(timed))
    rows = []
    for name, arguments in timed.items():
        loaded = modules_of(arguments)
        rows.append(
            {
                "command": name,
                "seconds": Spread.of(times[name]).as_dict(),
                "ratio_to_bare": ratios(times[name], times[bare]).as_dict(3),
                "modules": len(loaded),
                "heavy_modules": [module for module in HEAVY if module in loaded],
            }
        )
    return {"benchmark": "cold_start", "runs": runs, "allowed_ratio_of_help": ALLOWED, "rows": rows}


def measure_frames(programs: list[Program], runs: int) -> list[dict[str, Any]]:
    """Time the first frame of each program `runs` times, in turn; one round before that is not counted."""
    frames: dict[str, list[Any]] = {program.name: [] for program in programs}
    for number in range(runs + 1):
        for program in programs:
            frame = first_frame(program)
            if number:
                frames[program.name].append(frame)
        say(f"first frame {number}/{runs}")
    return [
        {
            "program": name,
            "anything": Spread.of([frame.anything for frame in found]).as_dict(),
            "complete": Spread.of([frame.complete for frame in found]).as_dict(),
            "bytes": round(Spread.of([float(frame.bytes) for frame in found]).median),
        }
        for name, found in frames.items()
    ]


def frames_table(results: dict[str, Any]) -> list[str]:
    """Return the first frames as lines of Markdown."""
    rows = results["first_frames"]
    versions = f"; {results['harlequin']}" if "harlequin" in results else ""
    lines = ["| first frame | anything is drawn | all of it is drawn | bytes |", "|---|---|---|---|"]
    for row in rows:
        anything, complete = row["anything"], row["complete"]
        lines.append(
            f"| `{row['program']}` | {anything['median'] * 1000:.0f} ms | {complete['median'] * 1000:.0f} ms "
            f"({complete['min'] * 1000:.0f} to {complete['max'] * 1000:.0f}) | {row['bytes']} |"
        )
    return [*lines, "", f"On a terminal of {SIZE[0]} x {SIZE[1]}, in an empty home, in turn{versions}.", ""]


def table_of(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# Cold start",
        "",
        "| command | median (min to max) | ratio to the bare program | modules loaded |",
        "|---|---|---|---|",
    ]
    for row in results["rows"]:
        seconds, ratio = row["seconds"], row["ratio_to_bare"]
        lines.append(
            f"| `{row['command']}` | {seconds['median'] * 1000:.0f} ms ({seconds['min'] * 1000:.0f} to "
            f"{seconds['max'] * 1000:.0f}) | {ratio['median']:.2f} | {row['modules']} |"
        )
    lines += [
        "",
        f"{results['runs']} interleaved runs of each in fresh interpreters, {results['machine']['cpu']} "
        f"(load before: {results['machine']['load_1_minute_before']}); "
        f"`dbtui --help` may take {results['allowed_ratio_of_help']:g} times as long as the bare program.",
        "",
    ]
    return "\n".join(lines + frames_table(results))


def main() -> int:
    """Measure, write the results, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="of each command (%(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS / "cold_start.json", help="the JSON file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--harlequin", type=Path, metavar="PATH", help="an installed harlequin, measured beside ours"
    )
    options = parser.parse_args()
    before = machine()
    programs = [our_app(sys.executable), *([harlequin(options.harlequin)] if options.harlequin else [])]
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as name:
        draw_pictures(Path(name), 96, subject=8, classes=8)
        results = measure(Path(name), options.runs)
    results["machine"] = before
    results["first_frames"] = measure_frames(programs, options.runs)
    if options.harlequin:
        results["harlequin"] = version_of(options.harlequin)
    table = table_of(results)
    write_results(options.output, results, table)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
