"""Every setting does what it says: changing it changes what it affects, or the reader refuses it.

The entries lie in entries/*.toml, one for each setting:

    look            where its change shows: a function of looks.py
    value           what it is changed to
    with            tables over those of the small run that both runs begin with
    also            further tables of the changed run
    before_fails    words of the message with which the run without (after_fails: with) the change ends
    alike           of a setting with choices: groups of choices that do the same here
    on_a_gpu        choices that need a GPU
"""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from trainer_core.config.declare import UsedWhen
from trainer_core.config.fields import all_fields
from trainer_core.config.reader import read_config
from trainer_core.errors import UserError
from trainer_core.train.loop import train

from .looks import LOOKS, STEPS
from .observer import Observer, RunFailedError, Tables

ENTRIES = {
    key: entry
    for file in sorted((Path(__file__).parent / "entries").glob("*.toml"))
    for key, entry in tomllib.loads(file.read_text(encoding="utf-8")).items()
}
AFFECTS = {
    "batch": {"batches", "conditioning"},
    "loss": {"learned"},
    "file": {"files", "requests"},
    "event": {"events"},
    "kernel": {"threads", "drawn", "compiled"},
    "memory": {"memory", "gradients", "short_of_memory", "moved"},
    "list": {"presets"},
}
SMALL: Tables = {
    "model": {"base": "<sd1>"},
    "dataset": {"train_dir": "<train>", "resolution": [64, 64], "cache_latents": "off"},
    "optimizer": {"type": "adamw", "learning_rate": 1e-3},
    "train": {"max_steps": 3, "workers": 1, "cpu_threads": 1},
    "validation": {"samples": 0},
}
"""What every run begins with; a fifth of a second."""
ON_A_GPU = {"memory.full_fp16": "fp16 needs a GPU; tests/trainer/test_gpu.py trains with it"}


def tables_of(entry: dict[str, Any]) -> Tables:
    """Return the tables that an entry starts from: the small run's with its own laid over them."""
    if entry["look"] == "presets":
        return deepcopy(entry.get("with", {}))
    long = {"train": {"max_steps": STEPS}} if entry["look"] == "batches" else {}
    return laid_over(laid_over(SMALL, long), entry.get("with", {}))


def laid_over(below: Tables, above: Tables) -> Tables:
    """Lay tables over others, key by key."""
    merged = deepcopy(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = laid_over(merged[name], value) if both else deepcopy(value)
    return merged


def changed(tables: Tables, key: str, value: Any) -> Tables:
    """Give a setting a value, in a list of tables in the first; None takes it out, as it does what it replaces."""
    result = deepcopy(tables)
    holder: Any = result
    *path, name = key.split(".")
    if replaced := all_fields()[key].about.instead_of:
        table, _, other = replaced.rpartition(".")
        result.get(table, {}).pop(other, None)
    for part in path:
        holder = holder.setdefault(part, {})
        holder = holder[0] if isinstance(holder, list) else holder
    holder[name] = value
    if value is None:
        del holder[name]
    return result


def test_every_setting_has_an_entry_that_looks_where_it_is_declared_to_show():
    assert sorted([*ENTRIES, *ON_A_GPU]) == sorted(all_fields())
    for key, entry in ENTRIES.items():
        assert entry["look"] in AFFECTS[all_fields()[key].about.affects], key


@pytest.mark.parametrize("key", ENTRIES)
def test_a_change_of_it_shows(key: str, observer: Observer):
    entry = ENTRIES[key]
    if entry["value"] == "<lora>":
        ran = observer.run(laid_over(SMALL, {"method": {"train": "lora"}}), train)
        (file,) = ran.folder.rglob("last.safetensors")
        observer.places["lora"] = str(file)
    look, before = LOOKS[entry["look"]], tables_of(entry)
    after = changed(laid_over(before, entry.get("also", {})), key, entry["value"])
    seen = []
    for tables, ending in ((before, "before_fails"), (after, "after_fails")):
        if ending in entry:
            with pytest.raises(RunFailedError, match=entry[ending]):
                observer.see(look, tables)
        else:
            seen.append(observer.see(look, tables))
    assert len(seen) == 1 or seen[0] != seen[1]


@pytest.mark.parametrize("key", [key for key in ENTRIES if len(all_fields()[key].value.choices) > 2])
def test_every_choice_of_it_shows(key: str, observer: Observer):
    entry = ENTRIES[key]
    choices = [choice for choice in all_fields()[key].value.choices if choice not in entry.get("on_a_gpu", ())]
    if "after_fails" in entry:
        choices.remove(entry["value"])
    seen = [
        (choice, observer.see(LOOKS[entry["look"]], changed(tables_of(entry), key, choice))) for choice in choices
    ]
    alike = [[choice for choice, other in seen if other == saw] for _, saw in seen]
    assert [group for group in alike if len(group) > 1] == [
        group for choice in choices for group in entry.get("alike", ()) if choice in group
    ]


@pytest.mark.parametrize("key", [key for key in ENTRIES if all_fields()[key].used_when])
def test_where_nothing_uses_it_the_reader_refuses_it(key: str, observer: Observer):
    condition = all_fields()[key].used_when
    tables = changed(tables_of(ENTRIES[key]), key, ENTRIES[key]["value"])
    tables = changed(tables, condition.key, value_without_effect(condition))
    with pytest.raises(UserError, match=f"{key.rpartition('.')[2]} .*is used only with"):
        read_config(observer.write(tables))


def value_without_effect(condition: UsedWhen) -> Any:
    """Return a value of the deciding setting under which the other has no effect."""
    decider = all_fields()[condition.key]
    others = ["some.file"] if decider.value.kind == "text" else [False, True]
    candidates = [*condition.unless, *decider.value.choices, *others]
    return next(value for value in candidates if not condition.holds(value))


RICH: Tables = {
    "dataset": {
        "train_dir": "<captioned>",
        "reg_dir": "<reg>",
        "shuffle_caption": True,
        "tag_dropout_rate": 0.2,
        "flip_aug": True,
        "color_aug": 0.2,
        "random_crop": True,
    },
    "loss": {"noise_offset": 0.1, "multires_noise_iterations": 2, "ip_noise_gamma": 0.1},
    "sample": {"prompts": [{"prompt": "a frog", "steps": 1}]},
    "save": {"every_n_steps": 2},
}


@pytest.mark.parametrize("look", ["batches", "learned", "files", "events", "memory"])
def test_a_change_without_effect_does_not_show(look: str, observer: Observer):
    tables = laid_over(SMALL, RICH)
    assert observer.see(LOOKS[look], tables) == observer.see(LOOKS[look], changed(tables, "preset.title", "A"))


DEAD_ELSEWHERE = {
    "full_bf16": "memory.full_bf16",
    "no_token_padding": "text_encoder.no_token_padding",
    "stop_text_encoder_training": "text_encoder.stop_at_step",
    "v_pred_like_loss": None,
    "fp8_base": "memory.base_dtype",
    "min_snr_gamma": "loss.min_snr_gamma",
    "prior_loss_weight": "prior.weight",
    "push_to_hub": "hub.push",
    "max_grad_norm": "optimizer.max_grad_norm",
    "cache_latents_to_disk": "dataset.cache_latents",
}
"""What one or another of the peers accepts and ignores, or crashes at; our setting, None where we have none."""


def test_what_is_dead_elsewhere_is_walked_here_or_not_offered():
    assert {key for key in DEAD_ELSEWHERE.values() if key} <= ENTRIES.keys()
    offered = {field.name for field in all_fields().values()}
    assert not offered & {name for name, key in DEAD_ELSEWHERE.items() if key is None}


def test_the_text_encoder_really_stops(observer: Observer):
    stopped = observer.see(LOOKS["learned"], changed(SMALL, "text_encoder.stop_at_step", 1))[1]
    one_step = observer.see(LOOKS["learned"], changed(SMALL, "train.max_steps", 1))[1]
    same = {name for name in stopped if stopped[name] == one_step[name]}
    assert same == {name for name in stopped if name.startswith("text_encoder.")}
