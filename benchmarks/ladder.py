"""What each rung of the memory ladder saves and costs: predicted memory at full size, time and losses on a CPU.

    python benchmarks/ladder.py [--steps N] [--repeats N] [--no-memory] [--no-speed] [--json]

Memory: the trainer's own step of SD 1.5 at 512 x 512, one picture, rehearsed without memory (docs/memory.md).
Speed and losses: real steps of SD 1.x's architecture at a fifth of its widths, each rung against the same training
without it; the two take turns, and CPU time is counted. See docs/memory.md.
"""

import argparse
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from bench_data import draw_pictures
from bench_model import FIFTH, TINY, random_model, sd1_configs
from gpu_run import samples_of
from results_file import RESULTS, machine, ratios, say, with_table, write_results

from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.memory.fake_model import published_configs
from trainer_core.memory.rehearsal import Rehearsal, without_memory
from trainer_core.models.quiet import quiet_imports
from trainer_core.train.job import Job, prepare
from trainer_core.train.loop import StepReport, train

GIB = 2**30
DOCS = Path(__file__).resolve().parents[1] / "docs" / "memory.md"
FULL = ('memory.mixed_precision="bf16"',)
LORA = ('method.train="lora"', "network.rank=16", 'memory.mixed_precision="bf16"')
LEAN = (*FULL, "memory.gradient_checkpointing=true", 'optimizer.type="adamw8bit"')
UNCLIPPED = "optimizer.max_grad_norm=0.0"
FUSED = "memory.fused_backward=true"
SIXTEEN = "memory.full_bf16=true"
FACTORED = 'optimizer.type="adafactor"'
CHECKPOINTED = "memory.gradient_checkpointing=true"
STREAMED = "memory.stream_weights=true"
STREAMED_TOO = ("memory.stream_state=true", "memory.stream_activations=true")
MEMORY: dict[str, tuple[str, ...]] = {
    "full: bf16 forward pass, AdamW": FULL,
    "+ gradient_checkpointing": (*FULL, "memory.gradient_checkpointing=true"),
    "+ adamw8bit": LEAN,
    "+ fused_backward": (*LEAN, FUSED),
    "+ fused_backward, not clipped": (*LEAN, FUSED, UNCLIPPED),
    "+ full_bf16, without fused_backward": (*LEAN, SIXTEEN),
    "+ full_bf16 and fused_backward": (*LEAN, SIXTEEN, FUSED, UNCLIPPED),
    "+ full_bf16, fused_backward, adafactor": (*LEAN, SIXTEEN, FUSED, UNCLIPPED, FACTORED),
    "LoRA of rank 16": LORA,
    "LoRA + gradient_checkpointing": (*LORA, "memory.gradient_checkpointing=true"),
    "LoRA + gradient_checkpointing, base_dtype int8 or fp8": (
        *LORA,
        "memory.gradient_checkpointing=true",
        'memory.base_dtype="int8"',
    ),
    "LoRA + gradient_checkpointing, stream_weights": (*LORA, CHECKPOINTED, STREAMED),
    "LoRA + gradient_checkpointing, stream_weights, base_dtype int8 or fp8": (
        *LORA,
        CHECKPOINTED,
        STREAMED,
        'memory.base_dtype="int8"',
    ),
    "LoRA + gradient_checkpointing, all three streamed": (*LORA, CHECKPOINTED, STREAMED, *STREAMED_TOO),
    "full: AdamW, gradient_checkpointing, fused_backward, stream_state": (
        *FULL,
        CHECKPOINTED,
        FUSED,
        STREAMED_TOO[0],
    ),
    "+ stream_activations": (*FULL, CHECKPOINTED, FUSED, *STREAMED_TOO),
}
"""Each rung of the ladder with everything above it, by settings over those of the defaults."""
BF16 = 'memory.mixed_precision="bf16"'
AS_LORA = ('method.train="lora"', "network.rank=16")
SPEED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gradient_checkpointing": ((), (CHECKPOINTED,)),
    "fused_backward, not clipped": ((UNCLIPPED,), (UNCLIPPED, FUSED)),
    "fused_backward, clipped": ((), (FUSED,)),
    "fused_backward, clipped, with gradient_checkpointing": ((CHECKPOINTED,), (CHECKPOINTED, FUSED)),
    "full_bf16": ((BF16,), (BF16, SIXTEEN)),
    "adafactor": ((), (FACTORED,)),
    "attention sliced": ((), ('memory.attention="sliced"',)),
    "base_dtype int8": (AS_LORA, (*AS_LORA, 'memory.base_dtype="int8"')),
    "base_dtype fp8": (AS_LORA, (*AS_LORA, 'memory.base_dtype="fp8"')),
}
"""Each rung and the training that it is compared with, as settings over float32 and AdamW."""


class Silent:
    """Takes events."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Forget an event."""


@dataclass
class Racer:
    """One training, of which some steps at a time are done.

    Attributes:
        seconds: CPU time of each step.
        losses: of each step.
    """

    job: Job
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def go(self, steps: int) -> float:
        """Do some steps; return the CPU time of one, the first left out."""
        until, times = self.job.step + steps, [time.process_time()]

        def between_steps() -> bool:
            times.append(time.process_time())
            return self.job.step < until

        def report(numbers: StepReport) -> None:
            self.losses.append(numbers.loss)

        train(self.job, report, between_steps)
        return (times[-1] - times[1]) / (steps - 1)


def config_of(folder: Path, side: int, *overrides: str) -> Config:
    """Return a training on the drawn pictures, by default in float32 with AdamW."""
    text = f"""schema = 1
[dataset]
train_dir = "train"
resolution = [{side}, {side}]
cache_latents = "ram"
[optimizer]
type = "adamw"
[train]
max_steps = 1000000
batch_size = 1
"""
    return parse_config(text, "benchmark", folder=folder, overrides=list(overrides))


def memory_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what a step of each rung needs at most, in GiB."""
    configs = published_configs("sd1", "epsilon")
    for name, overrides in MEMORY.items():
        config = config_of(folder, 512, *overrides)
        with without_memory():
            peaks = Rehearsal(config, "sd1", "epsilon", configs, (512, 512)).step()
            peak = max(peaks.values(), key=lambda each: each.total)
            row = {
                "rung": name,
                "settings": list(overrides),
                "gib": round(peak.total / GIB, 2),
                "passes_gib": round(peaks["passes"].total / GIB, 2),
                "kinds": {kind: round(size / GIB, 2) for kind, size in peak.kinds.items()},
            }
        say(f"{name}: {row['gib']} GiB")
        yield row


def speed_rows(folder: Path, *, steps: int, repeats: int, tiny: bool) -> Iterator[dict[str, Any]]:
    """Yield for each rung the time of its steps against the same training without it, and how losses differ."""
    start = random_model(sd1_configs(TINY if tiny else FIFTH))
    side = 64 if tiny else 128
    for name, (plain, changed) in SPEED.items():
        racers = [Racer(_job(folder, copy.deepcopy(start), side, overrides)) for overrides in (plain, changed)]
        for racer in racers:
            racer.go(2)
        times = [[racer.go(steps) for racer in racers] for _ in range(repeats)]
        ratio = ratios([each[1] for each in times], [each[0] for each in times])
        pairs = list(zip(*(racer.losses for racer in racers), strict=True))
        off = max(abs(one - other) / one for one, other in pairs)
        say(f"{name}: {ratio.median:.2f} (losses differ by {off:.2g})")
        yield {
            "rung": name,
            "time_ratio": ratio.as_dict(2),
            "losses_off": float(f"{off:.2g}"),
            "steps": len(pairs),
        }
        for racer in racers:
            racer.job.loader.close()


def _job(folder: Path, model: Any, side: int, overrides: tuple[str, ...]) -> Job:
    config, events = config_of(folder, side, *overrides), Silent()
    given: dict[str, Any] = {"cache_dir": folder / "cache", "should_stop": lambda: False}
    return prepare(config, samples_of(config), model, torch.device("cpu"), events, **given)  # type: ignore[arg-type]


def table_of(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# The memory ladder",
        "",
        "| SD 1.5, 512 x 512, one picture | GiB | in the passes | of the peak |",
        "|---|---|---|---|",
    ]
    for row in results["memory"]:
        kinds = ", ".join(f"{kind} {size:.2f}" for kind, size in row["kinds"].items() if size >= 0.01)
        lines.append(f"| {row['rung']} | **{row['gib']:.2f}** | {row['passes_gib']:.2f} | {kinds} |")
    lines += ["", "| rung | CPU time of a step | losses differ by up to |", "|---|---|---|"]
    for row in results["speed"]:
        ratio = row["time_ratio"]
        spread = f"**{ratio['median']:.2f}** ({ratio['min']:.2f} to {ratio['max']:.2f})"
        off = f"{row['losses_off']:.1e}" if row["losses_off"] else "nothing"
        lines.append(f"| {row['rung']} | {spread} | {off} |")
    about = results["machine"]
    lines += [
        "",
        "Predicted peaks of a step, without CUDA's context and the allocator's slack. Ratios: median of "
        f"{results['repeats']} turns of {results['steps']} steps, float32 unless the rung says else, one picture "
        f"at 128 x 128, SD 1.x's architecture at a fifth of its widths, one thread, {about['cpu']} (load "
        f"{about['load_1_minute_before']}).",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure and write the results."""
    options = _parser().parse_args()
    quiet_imports()
    torch.set_num_threads(1)
    before = machine()
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as name:
        folder = Path(name)
        os.environ["DBTUI_CACHE_DIR"] = f"{folder}/cache"
        draw_pictures(folder, 64 if options.tiny else 128, subject=4, classes=0)
        speed = speed_rows(folder, steps=options.steps, repeats=options.repeats, tiny=options.tiny)
        results = {
            "benchmark": "ladder",
            "machine": before,
            "steps": options.steps,
            "repeats": options.repeats,
            "memory": [] if options.no_memory else list(memory_rows(folder)),
            "speed": [] if options.no_speed else list(speed),
        }
    table = table_of(results)
    write_results(options.output, results)
    options.output.with_suffix(".md").write_text(table, encoding="utf-8")
    if options.output.parent == RESULTS and "<!-- ladder -->" in DOCS.read_text(encoding="utf-8"):
        DOCS.write_text(with_table(DOCS.read_text(encoding="utf-8"), "ladder", table), encoding="utf-8")
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if options.json else table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="of a turn (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="turns (%(default)s)")
    parser.add_argument("--no-memory", action="store_true", help="leave out the predictions")
    parser.add_argument("--no-speed", action="store_true", help="leave out the steps")
    parser.add_argument("--tiny", action="store_true", help="tiny models and pictures of 64 x 64")
    parser.add_argument("--output", type=Path, default=RESULTS / "ladder.json", help="the JSON file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
