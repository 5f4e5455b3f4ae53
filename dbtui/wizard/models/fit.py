"""Whether a preset can be used with a model."""

from dbtui.presets.inspect import inspect
from dbtui.presets.library import find


def is_misfit(preset: str, family: str | None) -> bool:
    """Tell whether a preset is for another family than the model's; what is not known fits."""
    found = find(preset) if preset and family else None
    config = inspect(found).config if found else None
    return config is not None and config.model.family not in {"auto", family}
