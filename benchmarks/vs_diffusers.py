"""Our trainer against a plain loop of diffusers, accelerate and torch, per picture trained.

    python benchmarks/vs_diffusers.py [--steps N] [--repeats N] [--json]

Both sides start from the same file and train on the same pictures, as many in each optimizer step, in float32 on
the CPU with the same number of threads, one after the other in one process: ours, plain, plain with cached
latents, and again. The first steps of each training are left out of the step time. The wall time is everything
between a loaded model and the last step, so caching is in it on whichever side caches. See docs/benchmarks.md.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from bench_data import CLASS_PROMPT, INSTANCE_PROMPT, draw_pictures, run_config
from bench_model import FIFTH, FULL, TINY, flops_of_a_step, random_model, sd1_configs, share_of
from our_loop import OurTraining
from plain_loop import Pairs, PlainSettings, clip_tokenize, open_picture, train_plain
from results_file import RESULTS, Spread, ratios, say, write_results
from results_file import machine as this_machine

from trainer_core.models.configs import bundled_config
from trainer_core.models.load import load_model
from trainer_core.models.quiet import quiet_imports
from trainer_core.models.save import save_model

WIDTHS = {"fifth": FIFTH, "tiny": TINY}
SIDES = ("ours", "plain", "plain, cached")
SETTLING_STEPS = 3
"""Steps at the start of each training whose time does not count: buffers are allocated, kernels are chosen."""
REQUIRED = {"as it is": 1.5, "latents cached on both sides": 1.1}
LEARNING_RATE, SEED = 1e-6, 42


@dataclass(slots=True)
class Clock:
    """Times of one training, and which pictures it took."""

    started: float = field(default_factory=time.perf_counter)
    steps: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    pictures: list[list[Path]] = field(default_factory=list)

    def tick(self, step: int, pictures: list[Path], loss: float) -> None:
        """Note that a step has ended."""
        del step, loss
        self.steps.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.pictures.append(pictures)

    @property
    def wall_s(self) -> float:
        """Seconds from the loaded model to the last step."""
        return self.steps[-1] - self.started

    @property
    def step_s(self) -> float:
        """Mean seconds of a step once it has settled."""
        return _mean_step(self.steps)

    @property
    def cpu_step_s(self) -> float:
        """The same in seconds of CPU time, all threads together: what a busy machine disturbs less."""
        return _mean_step(self.cpu)


def _mean_step(times: list[float]) -> float:
    return (times[-1] - times[SETTLING_STEPS - 1]) / (len(times) - SETTLING_STEPS)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that both sides share."""

    folder: Path
    base: Path
    instance: list[Path]
    classes: list[Path]
    side: int
    pairs: int
    steps: int

    def ours(self) -> Clock:
        """Train with our trainer."""
        config = run_config(
            self.folder,
            self.base,
            side=self.side,
            batch_size=2 * self.pairs,
            steps=self.steps,
            learning_rate=LEARNING_RATE,
            seed=SEED,
        )
        model = load_model(config.model)
        clock = Clock()
        training = OurTraining(config, self.folder / "runs", torch.device("cpu"))
        try:
            training.prepare(model)
            training.train(clock.tick)
        finally:
            training.close()
        return clock

    def plain(self, *, cache_latents: bool) -> Clock:
        """Train with the plain loop."""
        config = run_config(
            self.folder, self.base, side=self.side, batch_size=1, steps=1, learning_rate=LEARNING_RATE, seed=SEED
        )
        model = load_model(config.model)
        tokenize = clip_tokenize(bundled_config("sd1", self.folder / "configs"))
        settings = PlainSettings(
            steps=self.steps,
            pairs=self.pairs,
            side=self.side,
            learning_rate=LEARNING_RATE,
            seed=SEED,
            cache_latents=cache_latents,
        )
        clock = Clock()
        pairs = Pairs(self.instance, self.classes, (INSTANCE_PROMPT, CLASS_PROMPT), self.side, tokenize)
        train_plain(model, pairs, settings, clock.tick)
        return clock

    def encoding_cpu_s(self, repeats: int = 9) -> float:
        """Return the median seconds of CPU time that the VAE's encoder takes for one batch of the plain loop."""
        config = run_config(
            self.folder, self.base, side=self.side, batch_size=1, steps=1, learning_rate=LEARNING_RATE, seed=SEED
        )
        vae: Any = load_model(config.model).vae
        paths = self.instance[: self.pairs] + self.classes[: self.pairs]
        pixels = torch.stack([open_picture(path, self.side) for path in paths])
        times = []
        with torch.no_grad():
            for _ in range(repeats + 1):
                started = time.process_time()
                vae.encode(pixels).latent_dist.sample()
                times.append(time.process_time() - started)
        return Spread.of(times[1:]).median


def set_up(folder: Path, widths: str, *, side: int, pairs: int, steps: int, pictures: int) -> Comparison:
    """Write the model and the pictures that both sides start from."""
    model = random_model(sd1_configs(WIDTHS[widths]))
    base = save_model(model, folder / f"random-{widths}", format="safetensors", precision="float").paths[0]
    instance, classes = draw_pictures(folder, 2 * side, subject=pictures, classes=pictures)
    return Comparison(folder, base, instance, classes, side, pairs, steps)


def measure(comparison: Comparison, repeats: int) -> dict[str, list[Clock]]:
    """Train with each side in turn, `repeats` times; return the times of each."""
    sides: dict[str, Callable[[], Clock]] = {
        "ours": comparison.ours,
        "plain": lambda: comparison.plain(cache_latents=False),
        "plain, cached": lambda: comparison.plain(cache_latents=True),
    }
    clocks: dict[str, list[Clock]] = {name: [] for name in SIDES}
    for number in range(repeats):
        for name in SIDES:
            gc.collect()
            clock = sides[name]()
            clocks[name].append(clock)
            say(f"{number + 1}/{repeats} {name}: {clock.step_s * 1000:.0f} ms a step, {clock.wall_s:.1f} s in all")
    return clocks


def summarise(
    clocks: dict[str, list[Clock]], encoding_cpu_s: float, comparison: Comparison, widths: str
) -> dict[str, Any]:
    """Return the rows and what they were measured with."""
    step = {name: [clock.step_s for clock in clocks[name]] for name in SIDES}
    cpu = {name: [clock.cpu_step_s for clock in clocks[name]] for name in SIDES}
    wall = {name: [clock.wall_s for clock in clocks[name]] for name in SIDES}
    rows = []
    for (title, required), other in zip(REQUIRED.items(), SIDES[1:], strict=True):
        speed, whole = ratios(step[other], step["ours"]), ratios(wall[other], wall["ours"])
        rows.append(
            {
                "row": title,
                "steps_per_s_ratio": speed.as_dict(),
                "cpu_time_ratio": ratios(cpu[other], cpu["ours"]).as_dict(),
                "wall_time_ratio": whole.as_dict(),
                "required": required,
                "reached": min(speed.median, whole.median) >= required,
                "ours_steps_per_s": round(1 / Spread.of(step["ours"]).median, 4),
                "plain_steps_per_s": round(1 / Spread.of(step[other]).median, 4),
                "ours_wall_s": round(Spread.of(wall["ours"]).median, 2),
                "plain_wall_s": round(Spread.of(wall[other]).median, 2),
            }
        )
    here = flops_of_a_step(sd1_configs(WIDTHS[widths]), comparison.side)
    real = flops_of_a_step(sd1_configs(FULL), 512)
    return {
        "benchmark": "vs_diffusers",
        "widths": {"name": widths, **asdict(WIDTHS[widths])},
        "resolution": comparison.side,
        "pictures_per_step": 2 * comparison.pairs,
        "pictures": {"subject": len(comparison.instance), "class": len(comparison.classes)},
        "steps": comparison.steps,
        "repeats": len(clocks["ours"]),
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "vae_share_of_plain_step": round(encoding_cpu_s / Spread.of(cpu["plain"]).median, 3),
        "vae_share_of_flops": round(share_of("vae", here), 3),
        "vae_share_of_flops_sd15_at_512": round(share_of("vae", real), 3),
        "rows": rows,
    }


def table_of(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    widths, machine = results["widths"], results["machine"]
    lines = [
        "# Our trainer against a plain diffusers loop",
        "",
        "| | steps/s, ours : plain | ratio (min to max) | CPU time of a step | wall time in all | required |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        speed, wall, cpu = row["steps_per_s_ratio"], row["wall_time_ratio"], row["cpu_time_ratio"]
        lines.append(
            f"| {row['row']} | {row['ours_steps_per_s']:.2f} : {row['plain_steps_per_s']:.2f} "
            f"| **{speed['median']:.2f}** ({speed['min']:.2f} to {speed['max']:.2f}) "
            f"| {cpu['median']:.2f} ({cpu['min']:.2f} to {cpu['max']:.2f}) "
            f"| {wall['median']:.2f} ({wall['min']:.2f} to {wall['max']:.2f}) | {row['required']} |"
        )
    lines += [
        "",
        f"Median of {results['repeats']} interleaved repetitions of {results['steps']} steps, "
        f"{results['pictures_per_step']} pictures a step at {results['resolution']} x {results['resolution']}, "
        f"float32, threads: {results['threads']}, {machine['cpu']} with {machine['cores']} cores (load before and "
        f"after: {machine['load_1_minute_before']}, {results['load_1_minute_after']}). SD 1.x architecture; "
        f"widths: U-Net "
        f"{'/'.join(map(str, widths['unet']))}, VAE {'/'.join(map(str, widths['vae']))}, text encoder "
        f"{widths['text']} x {widths['text_layers']} layers.",
        "",
        f"The VAE's encoder takes {results['vae_share_of_plain_step']:.0%} of the plain loop's step here "
        f"({results['vae_share_of_flops']:.0%} of the operations of its forward and backward passes; "
        f"{results['vae_share_of_flops_sd15_at_512']:.0%} for the real SD 1.5 at 512 x 512).",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure and write the results; exit code 1 if steps/s or wall time misses a required ratio."""
    options = _parser().parse_args()
    quiet_imports()
    torch.set_num_threads(options.threads)
    before = this_machine()
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as name:
        os.environ["DBTUI_CACHE_DIR"] = f"{name}/cache"  # what is remembered about pictures is not the person's
        comparison = set_up(
            Path(name),
            options.widths,
            side=options.resolution,
            pairs=options.batch_size // 2,
            steps=options.steps,
            pictures=options.pictures,
        )
        clocks = measure(comparison, options.repeats)
        results = summarise(clocks, comparison.encoding_cpu_s(), comparison, options.widths)
    results["machine"] = before
    results["load_1_minute_after"] = round(os.getloadavg()[0], 2)
    table = table_of(results)
    write_results(options.output, results, table)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else table)
    return 0 if all(row["reached"] for row in results["rows"]) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of each training (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="trainings of each side (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=4, help="pictures of a step, even (%(default)s)")
    parser.add_argument("--resolution", type=int, default=128, help="side of the pictures (%(default)s)")
    parser.add_argument("--pictures", type=int, default=8, help="of the subject, and of the class (%(default)s)")
    parser.add_argument("--widths", choices=WIDTHS, default="fifth", help="of the model (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch (all cores)")
    parser.add_argument("--output", type=Path, default=RESULTS / "vs_diffusers.json", help="the JSON file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
