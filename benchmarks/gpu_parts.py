"""The parts of the benchmark on a GPU: what is trained in each, from which presets, with which settings."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from bench_data import draw_pictures
from bench_model import random_model
from gpu_flops import flops_of_a_picture, measured_peak, published_peak
from gpu_meters import SETTLING_STEPS
from gpu_plain import BATCHES, beside_plain
from gpu_run import Watched, limit_gb, watch
from results_file import say

from dbtui.presets.library import find_text
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.memory.predict import predict
from trainer_core.models.configs import read_configs
from trainer_core.models.model import StableDiffusion
from trainer_core.models.sniff import FamilyName
from trainer_core.models.tiny import build_tiny

Row = dict[str, Any]
Each = TypeVar("Each")
PROFILED_STEPS = 2
LIMITED_STEPS = SETTLING_STEPS + 2
"""Steps with only the memory of a preset's card: the second one has all that any has."""
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
PHASES = {"cache": ("cache",), "train": ("passes", "update"), "preview": ("sample",), "save": ("save",)}
"""The phases measured here, and what is predicted of each."""
PRECISIONS = {
    "fp32": {},
    "fp16": {"mixed_precision": "fp16"},
    "bf16": {"mixed_precision": "bf16"},
    "full_fp16": {"mixed_precision": "fp16", "full_fp16": True},
    "full_bf16": {"mixed_precision": "bf16", "full_bf16": True},
}


class Bench:
    """The trainings of one device, each from the same start model of its family.

    Attributes:
        ends: when nothing more is begun, by time.monotonic.
        left_out: what was not begun because of that.
    """

    def __init__(
        self, folder: Path, device: torch.device, *, tiny: bool, steps: int, minutes: float = float("inf")
    ) -> None:
        self.folder, self.device, self.tiny, self.steps = folder, device, tiny, steps
        self.ends, self.left_out = time.monotonic() + 60 * minutes, list[str]()
        self.models: dict[FamilyName, StableDiffusion] = {}
        self.peaks = {"of_measured": measured_peak(device, side=512 if device.type == "cpu" else 8192)}
        if device.type == "cuda" and (peak := published_peak(torch.cuda.get_device_name(device))):
            self.peaks["of_published"] = peak
        draw_pictures(folder, 64 if tiny else 512, subject=4, classes=8)

    def in_time(self, part: str, each: Iterable[Each]) -> Iterator[Each]:
        """Yield each as long as there is time to begin it."""
        for one in each:
            if time.monotonic() < self.ends:
                yield one
            else:
                self.left_out.append(f"{part}: {one}")

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

    def watch(
        self,
        config: Config,
        *,
        card_gb: float | None = None,
        profiled_steps: int = PROFILED_STEPS,
        saves: bool = False,
    ) -> Watched:
        """Train a copy of the start model by `config`."""
        model = copy.deepcopy(self.model(config))
        runs = self.folder / "runs"
        return watch(config, model, self.device, runs, card_gb=card_gb, profiled_steps=profiled_steps, saves=saves)

    def on_card(self, config: Config, card_gb: float | None) -> Watched | None:
        """Train a few steps with only as much memory as a card has; None where nothing can be limited."""
        if card_gb is None or self.device.type != "cuda":
            return None
        train = config.train.model_copy(update={"max_steps": LIMITED_STEPS})
        few = config.model_copy(update={"train": train})
        return self.watch(few, card_gb=card_gb, profiled_steps=0, saves=True)

    def share_of_peak(self, config: Config, watched: Watched) -> dict[str, float] | None:
        """Return the operations a second, and their share of what the device can do; None for tiny models."""
        if self.tiny or not watched.images_per_s:
            return None
        rate = watched.images_per_s * flops_of_a_picture(config)
        shares = {name: round(rate / peak, 4) for name, peak in self.peaks.items()}
        return {"tflops": round(rate / 1e12, 2), **shares}

    def model(self, config: Config) -> StableDiffusion:
        """Return the start model of the family; it is not to be changed."""
        family = family_of(config)
        if family not in self.models:
            self.models.clear()  # one full-size model in memory at a time
            say(f"building a random {family} ...")
            full = "sd2-base" if family == "sd2" else "sd1"
            self.models[family] = (
                build_tiny(family) if self.tiny else random_model(read_configs(full), family=family)
            )
        return self.models[family]


def parts(bench: Bench, names: list[str]) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what yields the rows of each part, in the order of their worth: later ones may be left out."""
    return {
        "presets": partial(presets, bench, names),
        "plain": partial(plain, bench),
        "ladder": partial(ladder, bench),
        "precisions": partial(precisions, bench),
        "attention": partial(attention, bench),
    }


def family_of(config: Config) -> FamilyName:
    """Return the family whose random model stands for the preset's."""
    return "sd2" if config.model.family == "sd2" else "sd1"


def card_of(name: str) -> float | None:
    """Return the GB of the card that preset `name` is meant for; a file that extends it does not inherit this."""
    return parse_config(find_text(name) or "", name, find_preset=find_text).preset.min_vram_gb


def presets(bench: Bench, names: list[str]) -> Iterator[Row]:
    """Yield each preset trained twice: with the whole card, and with only what the card it is meant for has.

    SD 2.1 comes first: the parts that follow train SD 1.5, of which a model is at hand then.
    """
    for name in bench.in_time("presets", sorted(names, key=lambda each: not each.startswith("sd2"))):
        config, card = bench.preset(name), card_of(name)
        whole = bench.watch(config, saves=True)
        say(f"{name}: {whole.as_dict()}")
        limited = bench.on_card(config, card)
        expected = None if bench.tiny else predicted(config)
        yield {
            "preset": name,
            "card_gb": card,
            "memory": _shown(config),
            "batch_size": config.train.batch_size,
            "resolution": list(config.dataset.resolution),
            **whole.as_dict(),
            "predicted_gb": expected,
            "measured_to_predicted": _compared(whole, expected),
            "share_of_peak": bench.share_of_peak(config, whole),
            "limit_gb": None if limited is None or card is None else round(limit_gb(card), 2),
            "memory_gb_on_card": limited.memory if limited else None,
            "fits_card": None if limited is None else limited.problem is None,
            "problem_on_card": limited.problem if limited else None,
        }


def plain(bench: Bench) -> Iterator[Row]:
    """Yield ours beside the plain loop with the same settings."""

    def config_of(*overrides: str) -> Config:
        return bench.preset(ATTENTION_PRESET, *overrides)

    batches = bench.in_time("plain, batch", (1, 2) if bench.tiny else BATCHES)
    yield from beside_plain(
        config_of, bench.model, bench.watch, bench.folder, bench.device, steps=bench.steps, batches=batches
    )


def predicted(config: Config) -> dict[str, float] | None:
    """Return the predicted peak of each phase in GiB, tensors alone; None where the table does not know."""
    found = predict(config, family_of(config))
    if found is None:
        return None
    peaks = {
        name: [found.phases[each] for each in parts if each in found.phases] for name, parts in PHASES.items()
    }
    return {name: round(max(sizes) / 2**30, 3) for name, sizes in peaks.items() if sizes}


def attention(bench: Bench) -> Iterator[Row]:
    """Yield one training with each attention kernel."""
    for kind in bench.in_time("attention", ATTENTION):
        watched = bench.watch(bench.preset(ATTENTION_PRESET, f'memory.attention="{kind}"'))
        say(f"attention {kind}: {watched.as_dict()}")
        yield {"attention": kind, **watched.as_dict()}


def ladder(bench: Bench) -> Iterator[Row]:
    """Yield one training on each rung of the memory ladder."""
    for name in bench.in_time("ladder", LADDER):
        preset, *overrides = LADDER[name]
        watched = bench.watch(bench.preset(preset, *overrides))
        say(f"{name}: {watched.as_dict()}")
        yield {"rung": name, **watched.as_dict()}


def precisions(bench: Bench) -> Iterator[Row]:
    """Yield one training in each precision, with either optimizer."""
    both = ((name, optimizer) for name in PRECISIONS for optimizer in ("adamw", "adamw8bit"))
    for name, optimizer in bench.in_time("precisions", both):
        memory = PRECISIONS[name]
        if bench.device.type == "cpu" and memory.get("mixed_precision") == "fp16":
            continue
        base = bench.preset(ATTENTION_PRESET, f'optimizer.type="{optimizer}"')
        usual = {"mixed_precision": "no", "full_fp16": False, "full_bf16": False}
        watched = bench.watch(base.model_copy(update={"memory": base.memory.model_copy(update=usual | memory)}))
        say(f"{name} {optimizer}: {watched.as_dict()}")
        yield {"precision": name, "optimizer": optimizer, **watched.as_dict()}


def _compared(watched: Watched, expected: dict[str, float] | None) -> dict[str, float]:
    """Return what tensors took of what was predicted, by phase."""
    both = watched.memory.keys() & (expected or {}).keys()
    return {name: round(watched.memory[name]["allocated"] / (expected or {})[name], 3) for name in sorted(both)}


def _shown(config: Config) -> Row:
    return {
        **config.memory.model_dump(),
        "optimizer": config.optimizer.type,
        "text_encoder": config.text_encoder.train,
    }
