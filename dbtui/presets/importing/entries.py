"""Takes over a list of tables, such as concepts: what is said of each, and what all of them agree on."""

from dbtui.presets.importing.command import Given
from dbtui.presets.importing.result import Imported, LeftOut, Setting, numbered, shown_option
from dbtui.presets.importing.rules import Entries, Left, Rule
from dbtui.presets.importing.taking import set_to, take
from trainer_core.config.fields import all_tables

_Shared = dict[str, list[Setting]]
_UNKNOWN = Left("it is not known")


def take_entries(option: Given, rule: Entries, result: Imported) -> None:
    """Write into `result` what becomes of a list of tables."""
    if not option.entries:
        result.same.append(shown_option(option.dashes + option.name, option.values))
        return
    shared: _Shared = {}
    lists = {table.key for table in all_tables() if table.is_list}
    for number, entry in enumerate(option.entries, start=1):
        found = _of_one(entry, option.name, rule)
        for key, setting in found.settings.items():
            table = key.rpartition(".")[0]
            if table in lists:
                set_to(result, numbered(table, number, key), setting)
            else:
                shared.setdefault(key, []).append(setting)
        result.same += [each for each in found.same if each not in result.same]
        result.left += [each for each in found.left if each not in result.left]
        result.unknown += [each for each in found.unknown if each not in result.unknown]
    _take_shared(shared, len(option.entries), rule, result)


def _of_one(entry: list[Given], name: str, rule: Entries) -> Imported:
    """Return what one table says; its options are told without its number, since most are the same in all."""
    found = Imported("")
    for each in entry:
        inner: Rule = rule.rules.get(each.name, _UNKNOWN)
        shown = shown_option(f"{name}.{each.name}", [each.written] if each.written else each.values)
        if inner is _UNKNOWN:
            found.unknown.append(LeftOut(shown, f"no option of a {rule.one} that is known"))
        elif not isinstance(inner, Entries):
            take(each, inner, shown, found)
    return found


def _take_shared(shared: _Shared, count: int, rule: Entries, result: Imported) -> None:
    """Take what is one setting here, where all say the same; what only some turn on is not taken."""
    for key, settings in shared.items():
        if len(settings) == count and all(each.value == settings[0].value for each in settings):
            set_to(result, key, settings[0])
            continue
        for option in dict.fromkeys(each.option for each in settings):
            reason = f"{key} is one setting for all here, and not every {rule.one} says the same"
            result.left.append(LeftOut(option, reason))
