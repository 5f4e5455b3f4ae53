"""The settings of what a command names, complete: of a preset, a run file, or what a model carries."""

from collections.abc import Sequence

from dbtui.presets.library import PresetFile, find_text
from trainer_core.config.layer import Layer
from trainer_core.config.reader import check_preset, parse_config, read_config
from trainer_core.config.schema import Config


def read_settings(preset: PresetFile, *, overrides: Sequence[str] = (), over: Sequence[Layer] = ()) -> Config:
    """Return the complete configuration, with `over` and then `overrides` laid over it.

    A model comes from anyone, and nobody reads what it carries before it is used: what `dbtui preset check` would
    not let pass is refused.

    Raises:
        UserError: anything is wrong with it, everything at once.
    """
    if preset.origin != "model":
        return read_config(preset.path, find_preset=find_text, overrides=overrides, over=over)
    text, source = preset.text(), str(preset.path)
    check_preset(text, source)
    return parse_config(text, source, overrides=overrides, over=over)
