"""The JSON that the pages of kohya_ss save: which of its many values count, as a command line."""

from collections.abc import Mapping
from typing import Any

from dbtui.presets.importing.command import Command, read_commands, setting
from dbtui.presets.importing.peers.kohya_ss import FINE_NAME, FULL_NAME, LORA_NAME, LORA_ONLY
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_OTHER_MODELS = ("sdxl", "sdxl_checkbox", "flux1_checkbox", "sd3_checkbox")
_KNOWN_TYPES = ("Standard", "Kohya LoCon")
_OF_LORA = ("LoRA_type", "network_dim", "network_alpha")
_PYRAMID = ("multires_noise_iterations", "multires_noise_discount")
_OFFSET = ("noise_offset", "adaptive_noise_scale", "noise_offset_random_strength")


def command_line(read: Mapping[str, Any]) -> Command:
    """Return the settings that count there as options.

    Raises:
        UserError: they train what cannot be trained here.
    """
    if others := [name for name in _OTHER_MODELS if read.get(name) in (True, "true")]:
        raise _error(f"the settings train another kind of model ({others[0]}) than SD 1.x and 2.x")
    is_lora = any(read.get(name) is not None for name in _OF_LORA)
    kind = str(read.get("LoRA_type") or "Standard")
    if is_lora and kind not in _KNOWN_TYPES:
        raise _error(
            f'the settings train a network of the kind "{safe_text(kind, 40)}"; here are LoRA (Standard) and LoCon'
        )
    why = _ignored(read, kind, is_lora=is_lora)
    given = [setting(name, value) for name, value in read.items() if name != "additional_parameters"]
    options = [option for option in given if option.name not in why]
    for command in read_commands(f"train_network.py {read.get('additional_parameters') or ''}"):
        options += command.options
    ignored = [(option, why[option.name]) for option in given if option.name in why]
    page = LORA_NAME if is_lora else FINE_NAME if "image_folder" in read else FULL_NAME
    return Command(page, [], options, [], ignored)


def _ignored(values: Mapping[str, Any], kind: str, *, is_lora: bool) -> dict[str, str]:
    """Return names whose values the pages keep but do not pass on, with the reason."""
    why: dict[str, str] = {}
    if not is_lora:
        why |= dict.fromkeys(LORA_ONLY.split(), "these are no settings of a LoRA")
    if kind == "Standard":
        why |= dict.fromkeys(("conv_dim", "conv_alpha"), "a LoRA of the kind Standard leaves convolutions out")
    if _number(values.get("unet_lr")) == _number(values.get("text_encoder_lr")) == 0:
        why |= dict.fromkeys(("unet_lr", "text_encoder_lr"), "where both are 0, learning_rate counts for both")
    if _number(values.get("max_train_steps")) or _number(values.get("max_train_epochs")):
        why["epoch"] = "max_train_steps or max_train_epochs counts instead"
    if _number(values.get("lr_warmup_steps")):
        why["lr_warmup"] = "lr_warmup_steps counts instead"
    if values.get("noise_offset_type") == "Original":
        why |= dict.fromkeys(_PYRAMID, "noise_offset_type is Original")
    elif values.get("noise_offset_type") == "Multires":
        why |= dict.fromkeys(_OFFSET, "noise_offset_type is Multires")
    return why


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _error(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
