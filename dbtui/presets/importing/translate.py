"""Turns the options of another trainer into settings, by its table."""

import difflib
from collections.abc import Sequence

from dbtui.presets.importing.command import Command, Given
from dbtui.presets.importing.entries import take_entries
from dbtui.presets.importing.peers.known import PEERS
from dbtui.presets.importing.peers.launcher import ACCELERATE
from dbtui.presets.importing.result import Imported, LeftOut, Setting, plain
from dbtui.presets.importing.rules import Entries, Peer
from dbtui.presets.importing.taking import take, told_of
from trainer_core.text import safe_text

_BETAS = ("optimizer.betas.0", "optimizer.betas.1")


def translate(command: Command, peer: Peer) -> Imported:
    """Return what the command means in our settings, value by value; what goes together is not asked here."""
    result = Imported(safe_text(command.script or peer.name, 80))
    defaults = peer.defaults if command.defaults is None else command.defaults
    for key, value in defaults.items():
        result.settings[key] = Setting(value, "")
    _take_all(command.launcher, ACCELERATE, result)
    _take_all(command.options, peer, result)
    _join_betas(result)
    _yield(peer, result)
    _without_previews(result)
    for option, reason in command.ignored:
        result.left.append(LeftOut(told_of(option), reason))
    for word in command.loose:
        what = ", ".join(f"${safe_text(name, 60)}" for name in word.unknown)
        reason = "the text does not say what it holds: set it above the command" if what else "it is no option"
        result.left.append(LeftOut(what or safe_text(word.text, 60), reason))
    result.notes += command.notes
    about, remark = peer.remark
    if about in result.settings:
        result.notes.append(remark)
    return result


def _take_all(options: Sequence[Given], peer: Peer, result: Imported) -> None:
    names = [_known_name(option, peer) for option in options]
    said = {name for option, name in zip(options, names, strict=True) if name and not _says_nothing(option)}
    rules = {**peer.options, **peer.instead(said)}
    for place, (option, name) in enumerate(zip(options, names, strict=True)):
        shown = told_of(option)
        if name is None:
            result.unknown.append(LeftOut(shown, _unknown(option, peer)))
        elif name in names[place + 1 :]:
            result.left.append(LeftOut(shown, "it is given again further on, which counts"))
        elif (switch := peer.needs.get(name)) and switch not in names:
            result.left.append(LeftOut(shown, f"it has no effect there without --{switch}"))
        elif isinstance(rule := rules[name], Entries):
            take_entries(option, rule, result)
        else:
            take(option, rule, shown, result)


def _says_nothing(option: Given) -> bool:
    """Whether a settings file names an option without a value."""
    return not option.dashes and option.values in ([], [""], ["null"])


def _known_name(option: Given, peer: Peer) -> str | None:
    """Return the option that is meant: by its name, an older one, or a beginning that is the only one such."""
    name = peer.aliases.get(option.name, option.name)
    if name in peer.options:
        return name
    begun = [known for known in peer.options if option.dashes and known.startswith(name)]
    return begun[0] if len(begun) == 1 and len(name) > 2 else None


def _unknown(option: Given, peer: Peer) -> str:
    others = [other.name for other in PEERS if other is not peer and option.name in other.options]
    if others:
        return f"it is an option of {others[0]}, not of {peer.name}"
    near = difflib.get_close_matches(option.name[:64], list(peer.options), n=1, cutoff=0.8)
    return f"no option of {peer.name} that is known" + (
        f" (did you mean {option.dashes}{near[0]}?)" if near else ""
    )


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
    if {"sample.prompts.prompt", "sample.prompts_file"} & {plain(key) for key in result.settings}:
        return
    for key in [key for key in result.settings if key.startswith("sample.")]:
        result.left.append(LeftOut(result.settings.pop(key).option, "there is no prompt to draw"))
