"""For every setting another valid value, and the settings around it with which it is used."""

from dbtui.forms.typed import text_of
from trainer_core.config.fields import all_fields, all_tables
from trainer_core.config.problems import dotted

OF_TEXTS = {
    "hub.repo_id": "somebody/something",
    "dataset.combine_prompt": "[PX], [P]",
    "dataset.bucket.max_reso": "2048",
    "dataset.caption_extension": ".tags",
    "sample.prompts_file": "/somewhere/prompts.txt",
    "dataset.train_dir": "/somewhere/train",
    "model.base": "/somewhere/base.safetensors",
}
BESIDE = {
    "dataset.bucket.min_reso": {"dataset.bucket.enable": True},
    "dataset.bucket.max_reso": {"dataset.bucket.enable": True},
    "dataset.bucket.shapes": {"dataset.bucket.enable": True, "dataset.resolution": [512, 768]},
    "dataset.random_crop": {"dataset.cache_latents": "off"},
    "dataset.color_aug": {"dataset.cache_latents": "off"},
    "dataset.brightness_aug": {"dataset.cache_latents": "off"},
    "dataset.rotate_aug": {"dataset.cache_latents": "off"},
    "dataset.cache_text": {"text_encoder.train": False},
    "dataset.caption_separator": {"dataset.shuffle_caption": True},
    "dataset.keep_tokens": {"dataset.shuffle_caption": True},
    "dataset.keep_tokens_separator": {"dataset.shuffle_caption": True},
    "save.keep_last": {"save.every_n_steps": 100},
    "sample.after_save": {"save.every_n_steps": 100},
    "log.dir": {"log.tensorboard": True},
    "log.prefix": {"log.tensorboard": True},
    "memory.fsdp": {"optimizer.type": "adamw"},
    "model.revision": {"model.base": "owner/name"},
}
"""What the rules between settings ask for (the conditions of a setting itself are read from the schema)."""


def paths_of_all():
    """The path of every setting; in a list of tables that of the first."""
    listed = {table.key for table in all_tables() if table.is_list}
    return [_path(key, listed) for key in all_fields()]


def another_text(path):
    """What one types for a valid value other than the default."""
    field = all_fields()[dotted(path)]
    value = field.value
    if field.key in OF_TEXTS:
        return OF_TEXTS[field.key]
    if value.kind == "list":
        return ", ".join(_number(item, index) for index, item in enumerate(value.items))
    if value.kind == "choice":
        return text_of(next(choice for choice in reversed(value.choices) if choice != field.default))
    if value.kind == "true/false":
        return "false" if field.default else "true"
    if value.kind == "text":
        return "/somewhere/else" if field.path else "x"
    return _number(value, 0, field.default)


def met(path, draft):
    """Answer what makes the setting one that is used."""
    field = all_fields()[dotted(path)]
    for key, value in BESIDE.get(field.key, {}).items():
        draft.set(key, value)
    while (condition := field.used_when) is not None:
        decider = all_fields()[condition.key]
        if condition.values:
            value = next((each for each in condition.values if each is not None), None)
        else:
            value = decider.default + 1 if decider.default in (0, 1) else 3
            value = 0.5 if decider.value.kind == "number" else value
        if value != decider.default:
            draft.set(decider.key, value)
        field = decider
    for part in path:
        if isinstance(part, int):
            *above, name = path[: path.index(part)]
            needed = {"prompt": "x"} if name == "prompts" else {}
            if name == "measured":
                needed = {"gpu": "A", "peak_vram_gb": 1.0, "it_per_s": 1.0, "version": "1"}
            if name == "entry":
                needed = {"word": "y"}
            draft.set(".".join([*above, name]), [needed])


def _path(key, listed):
    parts, path = key.split("."), []
    for place, part in enumerate(parts):
        path.append(part)
        if ".".join(parts[: place + 1]) in listed:
            path.append(0)
    return tuple(path)


def _number(value, index, default=None):
    low = value.ge if value.ge is not None else value.gt if value.gt is not None else 0
    high = value.le if value.le is not None else value.lt if value.lt is not None else low + 1000
    step = value.multiple_of or (1 if value.kind == "whole number" else (high - low) / 8)
    number = low + step * (index + 1)
    if number == default:
        number += step
    assert number <= high
    return text_of(number)
