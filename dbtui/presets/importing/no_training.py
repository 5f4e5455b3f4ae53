"""Commands of the same guides that train nothing, or nothing that dbtui trains, and what to do instead."""

import shlex

from dbtui.presets.importing.command import Command
from trainer_core.text import safe_text

_OTHER_MODELS = ("sdxl_", "sd3_", "flux_", "lumina_", "hunyuan_", "anima_", "qwen_", "train_controlnet")
_SOURCE, _TARGET = ("checkpoint_path", "dump_path"), ("model_path", "checkpoint_path")


def why_not(command: Command) -> str | None:
    """Return why a command cannot be imported, with what does its job here; None if it trains."""
    script = command.script.lower()
    shown = safe_text(command.script, 80)
    if script.startswith("convert_") and "diffusers" in script:
        return f"{shown} converts a model: `{_conversion(command)}` does that"
    if script.startswith(_OTHER_MODELS) or "_sdxl" in script or "_flux" in script:
        return f"{shown} trains a kind of model that dbtui does not: it trains SD 1.x and 2.x"
    if "textual_inversion" in script:
        return f"{shown} trains an embedding, which dbtui does not: it trains whole models and LoRAs"
    return None


def _conversion(command: Command) -> str:
    given = {option.name: option.values for option in command.options}
    source, target = _TARGET if "model_path" in given else _SOURCE
    words = ["dbtui", "convert", _word(given.get(source), "SRC"), _word(given.get(target), "DST")]
    if scheduler := given.get("scheduler_type"):
        words += ["--scheduler", _word(scheduler, "NAME")]
    if "half" in given:
        words.append("--half")
    return " ".join(words)


def _word(values: list[str] | None, otherwise: str) -> str:
    return shlex.quote(safe_text(values[0], 200)) if values else otherwise
