"""The db_config.json of sd_dreambooth_extension, of any version: which of its values count, as a command line."""

import re
from collections.abc import Mapping
from typing import Any

from dbtui.presets.importing.command import Command, Given, as_words, setting
from dbtui.presets.importing.peers.extension import CONCEPT_NAMES, EXTENSION, NAME
from trainer_core.data.filewords import has_place
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_NUMBERED = re.compile(r"c([1-4])_(\w+)")
_OTHER_KINDS = ("sdxl", "controlnet")
_OF_LORA = (
    "lora_learning_rate lora_txt_learning_rate lora_unet_rank lora_txt_rank lora_rank lora_weight lora_txt_weight"
    " lora_model_name lora_use_buggy_requires_grad use_lora_extended save_lora_during save_lora_after"
    " save_lora_cancel save_lora_for_extra_net"
)
_Read = Mapping[str, Any]
_Tables = list[dict[str, Any]]


def command_line(read: Mapping[str, Any]) -> Command:
    """Return the settings that count there as options.

    Raises:
        UserError: they train what cannot be trained here.
    """
    read = {name.removeprefix("db_"): value for name, value in read.items()}
    if read.get("model_type") in _OTHER_KINDS:
        raise UserError(
            f"the settings train another kind of model ({safe_text(read['model_type'], 40)}) than SD 1.x and 2.x",
            ExitCode.CONFIG,
        )
    ignored: list[tuple[Given, str]] = []
    settings, tables = _apart(read)
    trained = [table for number, table in enumerate(tables, start=1) if _is_trained(table, number, ignored)]
    why, changed = _ignored(settings), _changed(settings)
    if trained:
        why |= dict.fromkeys(("concepts_path", "use_concepts"), "the concepts themselves are there")
    options = []
    for name, value in settings.items():
        option = setting(name, value)
        if name in why:
            ignored.append((option, why[name]))
            continue
        if name in changed:
            option.written, option.values = " ".join(option.values), [changed[name]]
        options.append(option)
    if trained or "concepts_list" in read:
        words = [] if trained else as_words(read["concepts_list"])
        options.append(Given("concepts_list", words, [], "", entries=[_options(table) for table in trained]))
    defaults = {**EXTENSION.defaults, "method.captions": _method(trained), **_defaults(settings)}
    return Command(NAME, [], options, [], ignored, defaults)


def _apart(read: _Read) -> tuple[dict[str, Any], _Tables]:
    """Take the concepts out: a list, or names with c1_ to c4_ before them, or, once, names among the rest."""
    listed = read.get("concepts_list")
    tables: _Tables = (
        [table if isinstance(table, dict) else {} for table in listed] if isinstance(listed, list) else []
    )
    settings: dict[str, Any] = {}
    numbered: dict[str, dict[str, Any]] = {}
    flat: dict[str, Any] = {}
    for name, value in read.items():
        if found := _NUMBERED.fullmatch(name):
            numbered.setdefault(found[1], {})[found[2]] = value
        elif name in CONCEPT_NAMES:
            flat[name] = value
        elif name != "concepts_list":
            settings[name] = value
    return settings, tables or [numbered[number] for number in sorted(numbered)] or ([flat] if flat else [])


def _is_trained(table: _Read, number: int, ignored: list[tuple[Given, str]]) -> bool:
    if table.get("instance_data_dir"):
        return True
    ignored.append((Given(f"concepts_list[{number}]", [], [], ""), "it has no instance_data_dir"))
    return False


def _options(table: _Read) -> list[Given]:
    """Return a concept's options; previews without a prompt are none."""
    prompt = str(table.get("save_sample_prompt") or "")
    has_preview = bool(prompt) and not has_place(prompt)
    preview = ("save_sample_prompt", "save_sample_negative_prompt", "sample_seed", "save_guidance_scale")
    options = []
    for name, value in table.items():
        option = setting(name, value)
        if name in (*preview, "save_infer_steps", "n_save_sample") and not has_preview:
            option.written, option.values = " ".join(option.values), [""]
        options.append(option)
    return options


def _method(tables: _Tables) -> str:
    """Captions that stand beside a token are its hybrid method, captions alone are fine-tuning."""
    with_captions = [table for table in tables if has_place(str(table.get("instance_prompt") or ""))]
    if not with_captions or len(with_captions) < len(tables):
        return "dreambooth"
    if any(table.get("instance_token") for table in tables):
        return "hybrid"
    return "dreambooth" if any(table.get("class_prompt") for table in tables) else "finetune"


def _ignored(settings: _Read) -> dict[str, str]:
    """Return names whose values have no effect there beside the others, with the reason."""
    why: dict[str, str] = {}
    if settings.get("use_lora") is True:
        why |= dict.fromkeys(("learning_rate", "txt_learning_rate"), "the rates of the LoRA count instead")
    else:
        why |= dict.fromkeys(_OF_LORA.split(), "these are no settings of a LoRA")
    if settings.get("prior_loss_scale") is not True:
        shrinks = ("prior_loss_target", "prior_loss_weight_min")
        why |= dict.fromkeys(shrinks, "it has no effect there without prior_loss_scale")
    if settings.get("custom_model_name"):
        why["model_name"] = "custom_model_name counts instead"
    if settings.get("shared_diffusers_path"):
        why["pretrained_model_name_or_path"] = "shared_diffusers_path counts instead"
    if settings.get("optimizer"):
        why["use_8bit_adam"] = "optimizer counts instead"
    return why


def _changed(settings: _Read) -> dict[str, str]:
    """Return values to be read in place of those that are written."""
    changed = {}
    by_steps = settings.get("save_use_epochs") is False or "total_steps" in settings
    for name in ("save_embedding_every", "save_preview_every"):
        if settings.get(name):
            changed[name] = f"{as_words(settings[name])[0]} {'STEP' if by_steps else 'EPOCH'}"
    skipped = settings.get("clip_skip")
    if settings.get("v2") is True and isinstance(skipped, int) and skipped > 1:
        changed["clip_skip"] = str(skipped + 1)  # the encoder of SD 2.x leaves its last layer out by itself
    if "use_lora_extended" in settings:
        rank = settings.get("lora_unet_rank", 4) if settings["use_lora_extended"] is True else 0
        changed["use_lora_extended"] = as_words(rank)[0]
    return changed


def _defaults(settings: _Read) -> dict[str, Any]:
    is_old = settings.get("use_8bit_adam") is False and not settings.get("optimizer")
    defaults: dict[str, Any] = {"optimizer.type": "adamw"} if is_old else {}
    if settings.get("use_lora") is True and not {"lora_unet_rank", "lora_rank"} & settings.keys():
        defaults["network.rank"] = 4
    return defaults
