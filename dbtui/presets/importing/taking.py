"""Takes one option over by its rule: its value, a switch, its arguments."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dbtui.presets.importing.command import Given
from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.result import Imported, LeftOut, Setting, plain, shown_option
from dbtui.presets.importing.rules import FALSE, Left, Parts, Sets, To, is_on
from trainer_core.config.fields import all_fields
from trainer_core.text import safe_text


def told_of(option: Given) -> str:
    """Return an option as the person wrote it, safe to show."""
    return shown_option(option.dashes + option.name, [option.written] if option.written else option.values)


def take(option: Given, rule: To | Sets | Left | Parts, shown: str, result: Imported) -> None:
    """Write into `result` what becomes of an option; `shown` is how it is told."""
    if isinstance(rule, Left) and option.values and _says_the_same(option.values, rule):
        result.same.append(shown)
    elif isinstance(rule, Left):
        hidden = shown_option(option.dashes + option.name, option.values, is_secret=True)
        result.left.append(LeftOut(hidden if rule.is_secret else shown, rule.reason))
    elif isinstance(rule, Parts):
        _take_parts(option, rule, result)
    elif isinstance(rule, Sets):
        _switch(option, rule, shown, result)
    elif option.unknown:
        _leave(rule, shown, _not_set(option.unknown), result)
    elif any(_is_placeholder(value) for value in option.values):
        result.left.append(LeftOut(shown, f"a placeholder: it stands for {rule.key}"))
    else:
        _convert(option.values[0] if option.values else "", rule, shown, result)


def _switch(option: Given, rule: Sets, shown: str, result: Imported) -> None:
    """Take a switch. Words behind it belong to nothing, unless they are true or false as in settings files."""
    word = option.values[0] if option.values else "true"
    try:
        is_given = is_on(word) if not option.unknown else True
    except ValueError:
        is_given = True
    if not is_given:
        result.same.append(shown)
        return
    if option.unknown:
        result.left.append(LeftOut(", ".join(f"${name}" for name in option.unknown), _not_set(option.unknown)))
    for key, value in rule.settings.items():
        if rule.is_weak and key in result.settings:
            result.same.append(shown)
        else:
            set_to(result, key, Setting(value, shown, rule.belongs))


def _take_parts(option: Given, rule: Parts, result: Imported) -> None:
    if not option.unknown and _is_nothing(option.values):
        result.same.append(shown_option(option.dashes + option.name, option.values))
        return
    for argument in " ".join(option.values).split():
        name, _, value = argument.partition("=")
        name = name.strip()
        shown = shown_option(f"{option.dashes}{option.name} {safe_text(name, 60)}", [value])
        inner = rule.rules.get(name, Left(rule.other))
        take(Given(name, [value], option.unknown, ""), inner, shown, result)


def _convert(text: str, rule: To, shown: str, result: Imported) -> None:
    text = text.strip()
    if text.lower() in (*rule.off, "", "none", "null"):
        result.same.append(shown)
        return
    try:
        settings = rule.settings(text)
    except (ValueError, OverflowError) as error:
        _leave(rule, shown, f"{safe_text(text, 40) or 'nothing'} {error}", result)
        return
    if not settings:
        result.same.append(shown)
    for key, value in settings.items():
        set_to(result, key, Setting(value, shown, rule.belongs))


def _leave(rule: To, shown: str, reason: str, result: Imported) -> None:
    """Leave an option out whose value is not to be had; the other trainer's default was not meant then."""
    result.left.append(LeftOut(shown, reason))
    if rule.key in result.settings and not result.settings[rule.key].option:
        del result.settings[rule.key]


def set_to(result: Imported, key: str, setting: Setting) -> None:
    """Set a setting; of two options that mean the same one, the later counts."""
    earlier = result.settings.get(key)
    if earlier and "with_prior" in earlier.option:
        result.same.append(earlier.option)
    elif earlier and earlier.option and earlier.value != setting.value:
        result.left.append(LeftOut(earlier.option, f"{setting.option} decides the same, {key}"))
    elif earlier and earlier.option and earlier.option != setting.option:
        result.same.append(earlier.option)
    result.settings[key] = setting if setting.belongs else replace(setting, belongs=_belongs(key))


def _belongs(key: str) -> str:
    """Return why a setting never stands in a preset, as it is declared; "" if it may."""
    about = all_fields()[plain(key)].about if plain(key) in all_fields() else None
    return "" if about is None else reasons.PLACE if about.binding else reasons.WORDS if about.personal else ""


def _not_set(names: Sequence[str]) -> str:
    shown = ", ".join(f"${safe_text(name, 60)}" for name in dict.fromkeys(names))
    return f"{shown} is not set in the text: set it above the command"


def _says_the_same(values: Sequence[str], rule: Left) -> bool:
    if not rule.unless:
        return _is_nothing(values)
    return all(value.strip().lower() in (*rule.unless, "", "null") for value in values)


def _is_nothing(values: Sequence[str]) -> bool:
    """Whether a settings file names an option only to say that it is off."""
    return all(value.strip().lower() in (*FALSE, "0.0", "[]") for value in values)


def _is_placeholder(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")
