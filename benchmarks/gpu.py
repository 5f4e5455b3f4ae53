"""Every shipped preset on a GPU at full size: does it fit its card, how fast is it, what makes the host wait.

    python benchmarks/gpu.py [--steps N] [--only sd15-8gb ...] [--output FILE]
    python benchmarks/gpu.py --tiny --device cpu     (the same program on tiny models, to test it)

Needs no network and no model: SD 1.5 and SD 2.1 are built with random weights from the bundled configurations, and
the pictures are drawn. Memory and speed do not depend on the weights; quality is not measured here.
"""

import argparse
import copy
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bench_data import draw_pictures
from bench_model import random_model
from gpu_flops import flops_of_a_picture, measured_peak, published_peak
from gpu_plain import BATCHES, REQUIRED, beside_plain
from gpu_run import CONTEXT_GB, SETTLING_STEPS, Watched, watch
from results_file import RESULTS, machine, say, write_results

from dbtui.presets.library import find_text, shipped
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.memory.predict import predict
from trainer_core.models.configs import read_configs
from trainer_core.models.model import StableDiffusion
from trainer_core.models.quiet import quiet_imports
from trainer_core.models.sniff import FamilyName
from trainer_core.models.tiny import build_tiny

PROFILED_STEPS = 2
_FUSED = ("memory.fused_backward=true", "optimizer.max_grad_norm=0.0")
ATTENTION = ("sdpa", "sliced", "xformers")
ATTENTION_PRESET = "sd15-16gb"
LADDER = {
    "fused_backward": ("sd15-12gb", "memory.fused_backward=true"),
    "fused_backward, not clipped": ("sd15-12gb", *_FUSED),
    "full_bf16": ("sd15-12gb", "memory.full_bf16=true"),
    "full_bf16, fused_backward": ("sd15-12gb", "memory.full_bf16=true", *_FUSED),
    "full_bf16, fused_backward, adafactor": (
        "sd15-12gb",
        "memory.full_bf16=true",
        *_FUSED,
        'optimizer.type="adafactor"',
    ),
    "full_fp16, fused_backward": ("sd15-8gb", "memory.fused_backward=true"),
    "lora": ("sd15-lora-8gb",),
    "lora, base_dtype int8": ("sd15-lora-8gb", 'memory.base_dtype="int8"'),
    "lora, base_dtype fp8": ("sd15-lora-8gb", 'memory.base_dtype="fp8"'),
}
"""The rungs of the memory ladder: a preset, and the settings that make it one (docs/memory.md)."""
PHASES = {"cache and placing": ("cache",), "train": ("passes", "update"), "preview": ("sample",)}
"""The phases measured here, and what is predicted of each."""
PRECISIONS = {
    "fp32": {},
    "fp16": {"mixed_precision": "fp16"},
    "bf16": {"mixed_precision": "bf16"},
    "full_fp16": {"mixed_precision": "fp16", "full_fp16": True},
    "full_bf16": {"mixed_precision": "bf16", "full_bf16": True},
}


class Bench:
    """The trainings of one device, each from the same start model of its family."""

    def __init__(self, folder: Path, device: torch.device, *, tiny: bool, steps: int) -> None:
        self.folder, self.device, self.tiny, self.steps = folder, device, tiny, steps
        self.models: dict[FamilyName, StableDiffusion] = {}
        self.peaks = {"of_measured": measured_peak(device, side=512 if device.type == "cpu" else 8192)}
        if device.type == "cuda" and (peak := published_peak(torch.cuda.get_device_name(device))):
            self.peaks["of_published"] = peak
        draw_pictures(folder, 64 if tiny else 512, subject=4, classes=8)

    def preset(self, name: str, *overrides: str) -> Config:
        """Return preset `name` bound to the drawn pictures; on a CPU, fp16 becomes bf16."""
        total = self.steps + SETTLING_STEPS + PROFILED_STEPS
        text = f'schema = 1\nextends = "{name}"\n[dataset]\ntrain_dir = "train"\nreg_dir = "reg"\n'
        text += '[[sample.prompts]]\nprompt = "a photo of sls frog"\nsteps = 2\n'
        sets = [f"train.max_steps={total}", *overrides]
        if self.tiny:
            sets.append("dataset.resolution=[64, 64]")
        config = parse_config(
            text, f"benchmark of {name}", folder=self.folder, find_preset=find_text, overrides=sets
        )
        if self.device.type == "cpu" and config.memory.mixed_precision == "fp16":
            memory = {"mixed_precision": "bf16", "full_fp16": False, "full_bf16": config.memory.full_fp16}
            return config.model_copy(update={"memory": config.memory.model_copy(update=memory)})
        return config

    def watch(self, config: Config, *, card_gb: float | None = None) -> Watched:
        """Train a copy of the start model by `config`."""
        model = copy.deepcopy(self.model(config))
        runs = self.folder / "runs"
        return watch(config, model, self.device, runs, card_gb=card_gb, profiled_steps=PROFILED_STEPS)

    def share_of_peak(self, config: Config, watched: Watched) -> dict[str, float] | None:
        """Return the operations a second, and their share of what the device can do; None for tiny models."""
        if self.tiny or not watched.images_per_s:
            return None
        rate = watched.images_per_s * flops_of_a_picture(config)
        shares = {name: round(rate / peak, 4) for name, peak in self.peaks.items()}
        return {"tflops": round(rate / 1e12, 2), **shares}

    def model(self, config: Config) -> StableDiffusion:
        """Return the start model of the family; it is not to be changed."""
        family: FamilyName = "sd2" if config.model.family == "sd2" else "sd1"
        if family not in self.models:
            self.models.clear()  # one full-size model in memory at a time
            say(f"building a random {family} ...")
            full = "sd2-base" if family == "sd2" else "sd1"
            self.models[family] = (
                build_tiny(family) if self.tiny else random_model(read_configs(full), family=family)
            )
        return self.models[family]


def card_of(name: str) -> float | None:
    """Return the GB of the card that preset `name` is meant for; a file that extends it does not inherit this."""
    return parse_config(find_text(name) or "", name, find_preset=find_text).preset.min_vram_gb


def presets(bench: Bench, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield each preset twice: with the whole card, and with only as much memory as the card it is meant for."""
    for name in names:
        config = bench.preset(name)
        whole = bench.watch(config)
        say(f"{name}: {whole.as_dict()}")
        card = card_of(name)
        limited = bench.watch(config, card_gb=card) if card and bench.device.type == "cuda" else None
        yield {
            "preset": name,
            "card_gb": card,
            "memory": _shown(config),
            "batch_size": config.train.batch_size,
            "resolution": list(config.dataset.resolution),
            **whole.as_dict(),
            "predicted_gb": None if bench.tiny else predicted(config),
            "share_of_peak": bench.share_of_peak(config, whole),
            "fits_card": None if limited is None else limited.problem is None,
            "problem_on_card": limited.problem if limited else None,
        }


def plain(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield ours beside the plain loop with the same settings."""

    def config_of(*overrides: str) -> Config:
        return bench.preset(ATTENTION_PRESET, *overrides)

    batches = (1, 2) if bench.tiny else BATCHES
    yield from beside_plain(config_of, bench.model, bench.watch, bench.folder, steps=bench.steps, batches=batches)


def predicted(config: Config) -> dict[str, float] | None:
    """Return the predicted peak of each phase in GiB, tensors alone; None where the table does not know."""
    family: FamilyName = "sd2" if config.model.family == "sd2" else "sd1"
    found = predict(config, family)
    if found is None:
        return None
    peaks = {
        name: [found.phases[each] for each in parts if each in found.phases] for name, parts in PHASES.items()
    }
    return {name: round(max(sizes) / 2**30, 3) for name, sizes in peaks.items() if sizes}


def attention(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield one training with each attention kernel."""
    for kind in ATTENTION:
        watched = bench.watch(bench.preset(ATTENTION_PRESET, f'memory.attention="{kind}"'))
        say(f"attention {kind}: {watched.as_dict()}")
        yield {"attention": kind, **watched.as_dict()}


def ladder(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield one training on each rung of the memory ladder."""
    for name, (preset, *overrides) in LADDER.items():
        watched = bench.watch(bench.preset(preset, *overrides))
        say(f"{name}: {watched.as_dict()}")
        yield {"rung": name, **watched.as_dict()}


def precisions(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield one training in each precision, with either optimizer."""
    for name, memory in PRECISIONS.items():
        if bench.device.type == "cpu" and memory.get("mixed_precision") == "fp16":
            continue
        for optimizer in ("adamw", "adamw8bit"):
            base = bench.preset(ATTENTION_PRESET, f'optimizer.type="{optimizer}"')
            plain = {"mixed_precision": "no", "full_fp16": False, "full_bf16": False}
            config = base.model_copy(update={"memory": base.memory.model_copy(update=plain | memory)})
            watched = bench.watch(config)
            say(f"{name} {optimizer}: {watched.as_dict()}")
            yield {"precision": name, "optimizer": optimizer, **watched.as_dict()}


def verdict(results: dict[str, Any]) -> list[str]:
    """Return what is not as it should be: one line each, none if all is well."""
    problems = []
    for row in [*results["presets"], *results["attention"], *results["ladder"], *results["precisions"]]:
        names = (row.get(key) for key in ("preset", "attention", "rung"))
        name = next(filter(None, names), None) or f"{row['precision']} {row['optimizer']}"
        if row["problem"] and name != "xformers":  # a machine may lack it; then it has to be refused, and was
            problems.append(f"{name}: {row['problem']}")
        elif not row["problem"] and not row["losses_finite"]:
            problems.append(f"{name}: a loss is not finite")
        if row.get("fits_card") is False:
            problems.append(f"{name}: does not fit {row['card_gb']:g} GB: {row['problem_on_card']}")
        problems += _waits(name, row) if results["device"] != "cpu" else []
    if results["device"] != "cpu":
        problems += [
            f"batch {row['batch_size']}: {row['ratio_to_plain']} times the plain loop, {REQUIRED} wanted"
            for row in results.get("plain", ())
            if (row["ratio_to_plain"] or 0) < REQUIRED
        ]
    return problems


def _waits(name: str, row: dict[str, Any]) -> list[str]:
    waits = row["host_waits_per_step"]
    allowed = 1 if row["loss_scale"] != 1 else 0  # the one that fp16's scaler needs
    # Parts of a step do not count: the profiler waits for the device once, when it ends.
    if all(int(count) <= allowed for count in waits.values()):
        return []
    return [f"{name}: the host waits at every step ({waits}), {allowed} allowed"]


def _shown(config: Config) -> dict[str, Any]:
    return {
        **config.memory.model_dump(),
        "optimizer": config.optimizer.type,
        "text_encoder": config.text_encoder.train,
    }


def main() -> int:
    """Measure and write the results; exit code 1 if something is not as it should be."""
    options = _parser().parse_args()
    quiet_imports()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        say("there is no CUDA device; `--tiny --device cpu` tests this program without one")
        return 2
    names = options.only or [preset.name for preset in shipped()]
    with tempfile.TemporaryDirectory(prefix="dbtui-bench-") as folder:
        os.environ["DBTUI_CACHE_DIR"] = f"{folder}/cache"
        bench = Bench(Path(folder), device, tiny=options.tiny, steps=options.steps)
        results: dict[str, Any] = {
            "benchmark": "gpu",
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "tiny": options.tiny,
            "steps": options.steps,
            "context_gb": CONTEXT_GB,
            "machine": machine(),
            "peaks_tflops": {name: round(peak / 1e12, 3) for name, peak in bench.peaks.items()},
            "presets": list(presets(bench, names)),
            "plain": list(plain(bench)),
            "attention": [] if options.presets_only else list(attention(bench)),
            "ladder": [] if options.presets_only else list(ladder(bench)),
            "precisions": [] if options.presets_only else list(precisions(bench)),
        }
    results["problems"] = verdict(results)
    device_name = re.sub(r"[^a-z0-9]+", "-", results["device"].lower()).strip("-")
    write_results(options.output or RESULTS / f"gpu-{device_name}.json", results)
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return 1 if results["problems"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="tiny models and pictures of 64 x 64")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each training (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="PRESET", help="these presets (all shipped ones)")
    parser.add_argument(
        "--presets-only", action="store_true", help="leave out attention, the ladder and precisions"
    )
    parser.add_argument("--output", type=Path, help="the JSON file (benchmarks/results/gpu-<device>.json)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
