"""What a result says about itself: an allow-list of facts, every value text; never a path, host or secret.

The `ss_` names are those of sd-scripts, which web UIs read; `modelspec.` is Stability AI's model specification. A
setting that has no value is left out. `dbtui.preset` holds all of them as a preset that repeats the training.
"""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from trainer_core import __version__
from trainer_core.config.carried import carried_preset
from trainer_core.models.carried import PRESET
from trainer_core.models.hashed import LEGACY, NAME, VAE, WHOLE
from trainer_core.models.hashes import legacy_hash, whole_hash
from trainer_core.models.lora.adapters import Adapters
from trainer_core.models.snapshot import MODELSPEC_VERSION
from trainer_core.train.job import Job

# Settings that are told as they are, by the name that sd-scripts has for them.
_SETTINGS = {
    "seed": "train.seed",
    "learning_rate": "optimizer.learning_rate",
    "optimizer": "optimizer.type",
    "max_grad_norm": "optimizer.max_grad_norm",
    "lr_scheduler": "scheduler.type",
    "lr_warmup_steps": "scheduler.warmup_steps",
    "gradient_accumulation_steps": "train.gradient_accumulation",
    "gradient_checkpointing": "memory.gradient_checkpointing",
    "mixed_precision": "memory.mixed_precision",
    "full_fp16": "memory.full_fp16",
    "full_bf16": "memory.full_bf16",
    "clip_skip": "model.clip_skip",
    "max_token_length": "text_encoder.max_token_length",
    "batch_size_per_device": "train.batch_size",
    "enable_bucket": "dataset.bucket.enable",
    "bucket_no_upscale": "dataset.bucket.no_upscale",
    "min_bucket_reso": "dataset.bucket.min_reso",
    "max_bucket_reso": "dataset.bucket.max_reso",
    "color_aug": "dataset.color_aug",
    "flip_aug": "dataset.flip_aug",
    "random_crop": "dataset.random_crop",
    "shuffle_caption": "dataset.shuffle_caption",
    "keep_tokens": "dataset.keep_tokens",
    "caption_dropout_rate": "dataset.caption_dropout_rate",
    "caption_dropout_every_n_epochs": "dataset.caption_dropout_every_n_epochs",
    "caption_tag_dropout_rate": "dataset.tag_dropout_rate",
    "prior_loss_weight": "prior.weight",
    "loss_type": "loss.type",
    "huber_c": "loss.huber_c",
    "huber_schedule": "loss.huber_schedule",
    "min_snr_gamma": "loss.min_snr_gamma",
    "debiased_estimation": "loss.debiased_estimation",
    "noise_offset": "loss.noise_offset",
    "noise_offset_random_strength": "loss.noise_offset_random_strength",
    "adaptive_noise_scale": "loss.adaptive_noise_scale",
    "multires_noise_iterations": "loss.multires_noise_iterations",
    "multires_noise_discount": "loss.multires_noise_discount",
    "ip_noise_gamma": "loss.ip_noise_gamma",
    "ip_noise_gamma_random_strength": "loss.ip_noise_gamma_random_strength",
    "zero_terminal_snr": "loss.zero_terminal_snr",
}
_MIXED_RANKS = "Dynamic"  # as sd-scripts calls them


def model_metadata(job: Job, title: str) -> dict[str, str]:
    """Return the metadata of a result called `title`: a whole model, or a LoRA."""
    width, height = job.config.dataset.resolution
    facts: dict[str, Any] = {
        "modelspec.title": title,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": f"{width}x{height}",
        "ss_output_name": title,
        "dbtui.version": __version__,
        PRESET: carried_preset(job.config),
        **_progress(job),
        **_data(job),
        **{f"ss_{name}": attrgetter(key)(job.config) for name, key in _SETTINGS.items()},
        **{f"ss_{name}": rate for name, rate in _learning_rates(job).items()},
        **job.model.family.kohya_facts(job.model.prediction),
        **_base(job),
        **(_network(job, job.adapters) if job.adapters else {}),
    }
    if job.config.save.tag_frequency:
        facts["ss_tag_frequency"] = _tag_frequency(job)
    return {name: _text(value) for name, value in facts.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict) else str(value)


def _progress(job: Job) -> dict[str, Any]:
    order, total = job.samples.order, job.samples.total_steps
    return {
        "ss_training_started_at": f"{job.started:.3f}",
        "ss_training_finished_at": f"{time.time():.3f}",
        "ss_steps": job.step,
        "ss_max_train_steps": total,
        "ss_epoch": job.epoch,
        "ss_num_epochs": -(-total // order.steps_per_epoch),
        "ss_num_batches_per_epoch": order.batches_per_epoch,
        "ss_total_batch_size": order.batch_size * order.accumulation,
    }


def _data(job: Job) -> dict[str, Any]:
    width, height = job.config.dataset.resolution
    items = job.samples.items
    counts = Counter(fit.bucket for fit in job.samples.fits)
    buckets = {str(n): {"resolution": size, "count": counts[size]} for n, size in enumerate(sorted(counts))}
    return {
        "ss_num_train_images": sum(item.repeats for item in items if not item.is_class),
        "ss_num_reg_images": sum(item.repeats for item in items if item.is_class),
        "ss_resolution": f"({width}, {height})",
        "ss_bucket_info": {"buckets": buckets} if job.config.dataset.bucket.enable else None,
        "ss_cache_latents": job.config.dataset.cache_latents != "off",
    }


def _learning_rates(job: Job) -> dict[str, float]:
    """Return the peak of each part, of the down matrices where the up matrices have another."""
    names = {"unet": "unet_lr", "text_encoder": "text_encoder_lr"}
    return {names[group.component]: group.learning_rate for group in reversed(job.groups)}


def _network(job: Job, adapters: Adapters) -> dict[str, Any]:
    """Return what a reader of a LoRA needs to know, and how it was made."""
    network, family = job.config.network, job.model.family
    narrow = [adapter for adapter in adapters.adapters if not adapter.place.is_wide]
    wide = [adapter for adapter in adapters.adapters if adapter.place.is_wide]
    more = {
        "conv_dim": _only({adapter.rank for adapter in wide}),
        "conv_alpha": _only({adapter.alpha for adapter in wide}),
        "rank_dropout": network.rank_dropout or None,
        "module_dropout": network.module_dropout or None,
        "loraplus_lr_ratio": network.loraplus_lr_ratio if network.loraplus_lr_ratio != 1 else None,
    }
    return {
        "modelspec.sai_model_spec": MODELSPEC_VERSION,
        "modelspec.architecture": f"{family.architecture(job.model.prediction)}/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.prediction_type": job.model.prediction,
        "ss_network_module": "networks.lora",
        "ss_network_dim": _only({adapter.rank for adapter in narrow}),
        "ss_network_alpha": _only({adapter.alpha for adapter in narrow}),
        "ss_network_dropout": network.dropout or None,
        "ss_scale_weight_norms": network.scale_weight_norms,
        "ss_network_args": {name: _text(value) for name, value in more.items() if value is not None},
    }


def _only(values: set[Any]) -> Any:
    """Return the one value; the field's word for several, None for none."""
    return _MIXED_RANKS if len(values) > 1 else next(iter(values), None)


def _base(job: Job) -> dict[str, str]:
    """Return name and hashes of the start model; only a single file has hashes, if it still lies there.

    The short hash alone does not tell a model from one that was trained from it: both may have that part alike.
    """
    info, vae = job.model.info, job.config.model.vae
    facts = {NAME: info.base if info.is_hub_id else Path(info.base).name}
    if vae is not None:
        facts[VAE] = Path(vae).name
    try:
        if info.path is not None and info.path.is_file():
            facts[LEGACY] = legacy_hash(info.path)
            facts[WHOLE] = _whole_hash(info.path, info.path.stat().st_mtime_ns)
    except OSError:
        pass  # moved since it was loaded
    return facts


@lru_cache(maxsize=1)
def _whole_hash(path: Path, _modified: int) -> str:
    """Gigabytes are read once, not at every save."""
    return whole_hash(path)


def _tag_frequency(job: Job) -> dict[str, dict[str, int]]:
    """Count each tag of the captions, by the name of the pictures' folder."""
    separator = job.config.dataset.caption_separator
    counts: dict[str, Counter[str]] = {}
    for picture in {item.picture.path: item.picture for item in job.samples.items}.values():
        tags = (tag.strip() for tag in picture.caption.split(separator))
        counts.setdefault(picture.path.parent.name, Counter()).update(tag for tag in tags if tag)
    return {folder: dict(tags) for folder, tags in counts.items()}
