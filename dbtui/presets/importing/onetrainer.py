"""The JSON that OneTrainer saves, whole or sparse, of any version: which values count, as a command line."""

from collections.abc import Iterator, Mapping
from typing import Any

from dbtui.presets.importing.command import Command, Given, setting
from dbtui.presets.importing.onetrainer_lists import concepts, samples
from dbtui.presets.importing.onetrainer_meaning import Meaning
from dbtui.presets.importing.peers.onetrainer import NAME
from dbtui.presets.importing.peers.onetrainer_names import RENAMED
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_TABLES = ("unet", "text_encoder", "vae", "optimizer")
"""Parts whose settings are looked at one by one; of other models' parts only the name is told."""
_FAMILIES = (
    "STABLE_DIFFUSION_15",
    "STABLE_DIFFUSION_20",
    "STABLE_DIFFUSION_20_BASE",
    "STABLE_DIFFUSION_21",
    "STABLE_DIFFUSION_21_BASE",
)
_METHODS = ("FINE_TUNE", "LORA")


def command_line(read: Mapping[str, Any]) -> Command:
    """Return the settings that count there as options.

    Raises:
        UserError: they train what cannot be trained here.
    """
    _check(read)
    ignored: list[tuple[Given, str]] = []
    given = list(_options(read, ignored))
    has_settings = bool(read.keys() - {"concepts", "samples"})
    names = {each.name for each in given}
    older = {each.name for each in given if RENAMED.get(each.name) in names}
    said = {RENAMED.get(each.name, each.name): " ".join(each.values) for each in given if each.name not in older}
    meaning = Meaning(said)
    inline = {each.name for each in given if each.entries}
    for name, listed in (("concept_file_name", "concepts"), ("sample_definition_file_name", "samples")):
        if listed in inline:
            meaning.ignored[name] = f"the {listed} themselves are there"
    options = []
    for each in given:
        name = RENAMED.get(each.name, each.name)
        if each.name in older:
            ignored.append((each, f"an older name: {name} counts"))
            continue
        if reason := meaning.ignored.get(name):
            ignored.append((each, reason))
            continue
        if (value := meaning.changed.get(name)) is not None:
            each.written, each.values = " ".join(each.values), [value]
        options.append(each)
    defaults = meaning.defaults if has_settings else {"method.captions": "finetune"}
    notes = meaning.notes if has_settings else []
    return Command(NAME, [], options, [], ignored, defaults, notes)


def _check(read: Mapping[str, Any]) -> None:
    method, family = read.get("training_method") or "FINE_TUNE", read.get("model_type") or _FAMILIES[0]
    if method not in _METHODS:
        raise _error(f"the settings train {_shown(method)}; here are FINE_TUNE and LORA")
    if family not in _FAMILIES:
        raise _error(f"the settings train another kind of model ({_shown(family)}) than SD 1.x and 2.x")
    kind = read.get("peft_type") or "LORA"
    if method == "LORA" and kind != "LORA":
        raise _error(f"the settings train a network of the kind {_shown(kind)}; here is LORA")


def _options(read: Mapping[str, Any], ignored: list[tuple[Given, str]]) -> Iterator[Given]:
    """Yield the settings with their names joined by dots, and lists of concepts and samples as such."""
    for name, value in read.items():
        if name == "concepts" and isinstance(value, list):
            yield Given(name, [], [], "", entries=concepts(value, ignored))
        elif name == "samples" and isinstance(value, list):
            yield Given(name, [], [], "", entries=samples(value, ignored))
        elif name in _TABLES and isinstance(value, dict):
            yield from (setting(f"{name}.{inner}", each) for inner, each in value.items() if inner != "__version")
        elif name == "optimizer":
            yield setting("optimizer.optimizer", value)
        elif name.startswith("optimizer_") and name != "optimizer_defaults":
            yield setting(f"optimizer.{name.removeprefix('optimizer_')}", value)
        else:
            yield Given(name, [], [], "") if isinstance(value, dict) and value else setting(name, value)


def _shown(value: Any) -> str:
    return f'"{safe_text(value, 40)}"' if isinstance(value, str) else "what is no text"


def _error(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
