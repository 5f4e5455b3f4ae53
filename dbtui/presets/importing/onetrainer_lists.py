"""OneTrainer's concepts.json and samples.json, or the same lists among its settings: each entry as options."""

from collections.abc import Iterator, Mapping
from typing import Any

from dbtui.presets.importing.command import Given, setting

_Ignored = list[tuple[Given, str]]
_Entries = list[list[Given]]

_SWITCHES = {
    "image.random_rotate_max_angle": "image.enable_random_rotate",
    "image.random_brightness_max_strength": "image.enable_random_brightness",
    "image.random_contrast_max_strength": "image.enable_random_contrast",
    "image.random_saturation_max_strength": "image.enable_random_saturation",
    "image.random_hue_max_strength": "image.enable_random_hue",
    "image.resolution_override": "image.enable_resolution_override",
    "text.tag_dropout_probability": "text.tag_dropout_enable",
    "text.tag_dropout_mode": "text.tag_dropout_enable",
    "text.tag_dropout_special_tags_mode": "text.tag_dropout_enable",
    "text.caps_randomize_probability": "text.caps_randomize_enable",
    "text.caps_randomize_mode": "text.caps_randomize_enable",
}
"""Settings of a concept that have no effect without another."""


def concepts(read: list[Any], ignored: _Ignored) -> _Entries:
    """Return the concepts that are trained, each as its options; the others are added to `ignored`."""
    entries = []
    for number, entry in _tables(read, "concepts", ignored):
        kind = str(entry.get("type") or "STANDARD").upper()
        if kind not in ("STANDARD", "CONCEPTTYPE.STANDARD") or entry.get("validation_concept") is True:
            ignored.append((_named("concepts", number), f"{kind.lower()}: it is not trained like any other"))
        elif not entry.get("path"):
            ignored.append((_named("concepts", number), "it has no path"))
        else:
            entries.append(_concept(entry))
    return entries


def samples(read: list[Any], ignored: _Ignored) -> _Entries:
    """Return the samples that are drawn, each as its options; the others are added to `ignored`."""
    entries = []
    for number, entry in _tables(read, "samples", ignored):
        if not str(entry.get("prompt") or "").strip():
            ignored.append((_named("samples", number), "it has no prompt"))
        else:
            entries.append(list(_flat(entry, "")))
    return entries


def _tables(read: list[Any], name: str, ignored: _Ignored) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the entries that are tables and turned on, with their numbers from 1."""
    for number, entry in enumerate(read, start=1):
        if not isinstance(entry, dict):
            ignored.append((_named(name, number), "it is no table"))
        elif entry.get("enabled") is False:
            ignored.append((_named(name, number), "it is turned off there"))
        else:
            yield number, entry


def _named(name: str, number: int) -> Given:
    return Given(f"{name}[{number}]", [], [], "")


def _concept(entry: Mapping[str, Any]) -> list[Given]:
    """Return a concept's options, those without effect turned off."""
    options = list(_flat(entry, ""))
    said = {each.name: " ".join(each.values) for each in options}
    counts_pictures = said.get("balancing_strategy", "REPEATS").upper() != "REPEATS"
    for each in options:
        switch = _SWITCHES.get(each.name)
        is_off = switch is not None and said.get(switch, "false") != "true"
        if is_off or (each.name in ("balancing", "repeats") and counts_pictures):
            _change(each, "")
        elif each.name == "text.tag_dropout_probability":
            _change(each, f"{said[each.name]} {said.get('text.tag_dropout_mode', 'FULL')}")
        elif each.name == "text.keep_tags_count" and not _keeps_tags(said):
            _change(each, "0")
    return options


def _keeps_tags(said: Mapping[str, str]) -> bool:
    return "true" in (said.get("text.enable_tag_shuffling"), said.get("text.tag_dropout_enable"))


def _change(option: Given, value: str) -> None:
    option.written, option.values = " ".join(option.values), [value]


def _flat(entry: Mapping[str, Any], above: str) -> Iterator[Given]:
    for name, value in entry.items():
        if name == "__version":
            continue
        if name in ("image", "text") and isinstance(value, dict) and not above:
            yield from _flat(value, f"{name}.")
        else:
            yield setting(f"{above}{name}", value)
