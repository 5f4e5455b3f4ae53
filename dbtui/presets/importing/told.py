"""What a person is told of an import: what was taken over, what was not, and why."""

import textwrap
from collections.abc import Iterator
from typing import Any

from dbtui.presets.importing.result import Imported, LeftOut
from trainer_core.config.writer import shown_toml
from trainer_core.data.listing import counted
from trainer_core.text import safe_text

_MOST = 60


def told(imported: Imported) -> Iterator[str]:
    """Yield the lines, safe to show."""
    shared = {key: setting for key, setting in imported.settings.items() if setting.option and not setting.belongs}
    bound = {key: setting for key, setting in imported.settings.items() if setting.option and setting.belongs}
    defaults = {key: setting for key, setting in imported.settings.items() if not setting.option}
    yield f"{imported.source}: {counted(len(shared), 'setting')} taken over"
    yield from (f"  {setting.option}: {_is(key, setting.value)}" for key, setting in shared.items())
    if defaults:
        yield "not given, so its defaults, which are others here:"
        yield from (f"  {_is(key, setting.value)}" for key, setting in defaults.items())
    if imported.same:
        yield "turns nothing on, or says what holds here anyway:"
        yield from _wrapped(_some(imported.same))
    if bound:
        yield "not in a preset (--run-file FILE writes them into a run file):"
        keys: dict[tuple[str, str], list[str]] = {}
        for key, setting in bound.items():
            keys.setdefault((setting.option, setting.belongs), []).append(key)
        yield from (f"  {option}: {', '.join(named)}; {why}" for (option, why), named in keys.items())
    yield from _left("not taken over:", imported.left)
    yield from _left("not known:", imported.unknown)
    yield from (f"note: {note}" for note in imported.notes)


def as_json(imported: Imported, text: str) -> dict[str, Any]:
    """Return the same for a program."""
    settings = imported.settings.items()
    return {
        "source": imported.source,
        "preset": text,
        "settings": [
            {"key": key, "value": each.value, "option": each.option or None, "belongs": each.belongs or None}
            for key, each in settings
        ],
        "same": imported.same,
        "left_out": [{"option": each.option, "reason": each.reason} for each in imported.left],
        "unknown": [{"option": each.option, "reason": each.reason} for each in imported.unknown],
        "notes": imported.notes,
    }


def _is(key: str, value: Any) -> str:
    return f"{key} = {safe_text(shown_toml(value), 80)}"


def _left(heading: str, left: list[LeftOut]) -> Iterator[str]:
    """Yield what is left out; options with one reason stand together."""
    if not left:
        return
    yield heading
    together: dict[str, list[str]] = {}
    for each in left:
        together.setdefault(each.reason, []).append(each.option)
    for reason, options in together.items():
        line = f"{', '.join(options)}: {reason}"
        yield from [f"  {line}"] if len(options) == 1 else _wrapped(line)


def _some(options: list[str]) -> str:
    """Return options in one line; of the hundreds that a page saves, those that are not set are only counted."""
    more = len(options) - _MOST
    shown = ", ".join(options[:_MOST])
    return f"{shown}, and {more} more (--json names them)" if more > 0 else shown


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(
        line, 100, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
