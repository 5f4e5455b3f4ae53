"""Turns the options of another trainer into settings, by its table."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dbtui.presets.importing.command import Command, Given
from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.known import PEERS
from dbtui.presets.importing.peers.launcher import ACCELERATE
from dbtui.presets.importing.result import Imported, LeftOut, Setting, shown_option
from dbtui.presets.importing.rules import FALSE, Left, Parts, Peer, Rule, Sets, To, is_on
from trainer_core.config.fields import all_fields
from trainer_core.text import safe_text

_BETAS = ("optimizer.betas.0", "optimizer.betas.1")


def translate(command: Command, peer: Peer) -> Imported:
    """Return what the command means in our settings, value by value; what goes together is not asked here."""
    result = Imported(safe_text(command.script or peer.name, 80))
    for key, value in peer.defaults.items():
        result.settings[key] = Setting(value, "")
    _take_all(command.launcher, ACCELERATE, result)
    _take_all(command.options, peer, result)
    _join_betas(result)
    _yield(peer, result)
    _without_previews(result)
    for option, reason in command.ignored:
        result.left.append(LeftOut(shown_option(option.name, option.values), reason))
    for word in command.loose:
        what = ", ".join(f"${safe_text(name, 60)}" for name in word.unknown)
        reason = "the text does not say what it holds: set it above the command" if what else "it is no option"
        result.left.append(LeftOut(what or safe_text(word.text, 60), reason))
    about, remark = peer.remark
    if about in result.settings:
        result.notes.append(remark)
    return result


def _take_all(options: Sequence[Given], peer: Peer, result: Imported) -> None:
    names = [_known_name(option.name, peer) for option in options]
    rules = {**peer.options, **peer.instead({name for name in names if name})}
    for place, (option, name) in enumerate(zip(options, names, strict=True)):
        shown = shown_option(option.dashes + option.name, option.values)
        if name is None:
            result.unknown.append(LeftOut(shown, _unknown(option.name, peer)))
        elif name in names[place + 1 :]:
            result.left.append(LeftOut(shown, "it is given again further on, which counts"))
        elif (switch := peer.needs.get(name)) and switch not in names:
            result.left.append(LeftOut(shown, f"it has no effect there without --{switch}"))
        else:
            _take(option, rules[name], shown, result)


def _known_name(name: str, peer: Peer) -> str | None:
    """Return the option that is meant: by its name, an older one, or a beginning that is the only one such."""
    name = peer.aliases.get(name, name)
    if name in peer.options:
        return name
    begun = [known for known in peer.options if known.startswith(name)]
    return begun[0] if len(begun) == 1 and len(name) > 2 else None


def _unknown(name: str, peer: Peer) -> str:
    others = [other.name for other in PEERS if other is not peer and name in other.options]
    if others:
        return f"it is an option of {others[0]}, not of {peer.name}"
    near = difflib.get_close_matches(name[:64], list(peer.options), n=1, cutoff=0.8)
    return f"no option of {peer.name} that is known" + (f" (did you mean --{near[0]}?)" if near else "")


def _take(option: Given, rule: Rule, shown: str, result: Imported) -> None:
    if isinstance(rule, Left) and option.values and _is_nothing(option.values):
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
            _set(result, key, Setting(value, shown, rule.belongs))


def _take_parts(option: Given, rule: Parts, result: Imported) -> None:
    if not option.unknown and _is_nothing(option.values):
        result.same.append(shown_option(option.dashes + option.name, option.values))
        return
    for argument in " ".join(option.values).split():
        name, _, value = argument.partition("=")
        name = name.strip()
        shown = shown_option(f"{option.dashes}{option.name} {safe_text(name, 60)}", [value])
        inner = rule.rules.get(name, Left(rule.other))
        _take(Given(name, [value], option.unknown, ""), inner, shown, result)


def _convert(text: str, rule: To, shown: str, result: Imported) -> None:
    text = text.strip()
    if text.lower() in (*rule.off, "", "none"):
        result.same.append(shown)
        return
    try:
        settings = rule.settings(text)
    except (ValueError, OverflowError) as error:
        _leave(rule, shown, f"{safe_text(text, 40) or 'nothing'} {error}", result)
        return
    for key, value in settings.items():
        _set(result, key, Setting(value, shown, rule.belongs))


def _leave(rule: To, shown: str, reason: str, result: Imported) -> None:
    """Leave an option out whose value is not to be had; the other trainer's default was not meant then."""
    result.left.append(LeftOut(shown, reason))
    if rule.key in result.settings and not result.settings[rule.key].option:
        del result.settings[rule.key]


def _set(result: Imported, key: str, setting: Setting) -> None:
    """Set a setting; of two options that mean the same one, the later counts."""
    earlier = result.settings.get(key)
    if earlier and "with_prior" in earlier.option:
        result.same.append(earlier.option)
    elif earlier and earlier.option and earlier.value != setting.value:
        result.left.append(LeftOut(earlier.option, f"{setting.option} decides the same, {key}"))
    result.settings[key] = setting if setting.belongs else replace(setting, belongs=_belongs(key))


def _belongs(key: str) -> str:
    """Return why a setting never stands in a preset, as it is declared; "" if it may."""
    about = all_fields()[key].about if key in all_fields() else None
    return "" if about is None else reasons.PLACE if about.binding else reasons.WORDS if about.personal else ""


def _join_betas(result: Imported) -> None:
    """The two rates of decay are two options there, and one setting here."""
    halves = [result.settings.pop(key, None) for key in _BETAS]
    if any(halves):
        values = [half.value if half else default for half, default in zip(halves, (0.9, 0.999), strict=True)]
        option = " ".join(half.option for half in halves if half)
        result.settings["optimizer.betas"] = Setting(values, option)


def _yield(peer: Peer, result: Imported) -> None:
    """Of steps and epochs the other trainer follows one."""
    counts, yields = peer.yields
    if counts in result.settings and yields in result.settings:
        dropped = result.settings.pop(yields)
        result.left.append(LeftOut(dropped.option, f"{result.settings[counts].option} counts instead, as there"))


def _without_previews(result: Imported) -> None:
    """Previews without a prompt are none."""
    if "sample.prompts.prompt" in result.settings or "sample.prompts_file" in result.settings:
        return
    for key in [key for key in result.settings if key.startswith("sample.")]:
        result.left.append(LeftOut(result.settings.pop(key).option, "there is no prompt to draw"))


def _not_set(names: Sequence[str]) -> str:
    shown = ", ".join(f"${safe_text(name, 60)}" for name in dict.fromkeys(names))
    return f"{shown} is not set in the text: set it above the command"


def _is_nothing(values: Sequence[str]) -> bool:
    """Whether a settings file names an option only to say that it is off."""
    return all(value.strip().lower() in (*FALSE, "0.0", "[]") for value in values)


def _is_placeholder(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")
