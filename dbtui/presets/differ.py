"""Which settings of two configurations differ in their effect."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from trainer_core.config.fields import FieldInfo
from trainer_core.config.merge import failing_condition
from trainer_core.config.schema import Config
from trainer_core.config.writer import shown_toml
from trainer_core.resume.settings import field_of, settings_of
from trainer_core.text import safe_text

_LONGEST = 200
_KINDS: Final = {
    "bindings": "paths and models of a machine",
    "prompts": "what is taught and drawn",
    "own": "names, logs and uploads",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A setting as one of the two has it; `is_used` is false where nothing there uses it."""

    value: Any
    is_used: bool

    @property
    def is_set(self) -> bool:
        """Whether it has a value that counts."""
        return self.is_used and self.value is not None

    @property
    def shown(self) -> str:
        """Its value as TOML, safe to show."""
        if not self.is_set:
            return "not set" if self.is_used else "unused"
        return safe_text(shown_toml(self.value), _LONGEST)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same; `unit` is of both sides."""

    key: str
    first: Side
    second: Side
    unit: str

    def line(self) -> str:
        """Say it in one line, safe to show."""
        unit = f" {self.unit}" if self.unit else ""
        first, second = self.first.shown, self.second.shown
        return (
            f"{self.key}: {first} -> {second}{unit}"
            if self.second.is_set
            else f"{self.key}: {first}{unit} -> {second}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, in the order of the file, and in words what was not compared because one side has none."""

    differences: tuple[Difference, ...]
    not_compared: tuple[str, ...]


def differ(first: Config, second: Config) -> Comparison:
    """Compare the settings of two configurations; what they say of themselves, `[preset]`, is no setting.

    Bindings, prompts, and names and accounts are compared only where both have some: a preset has none by nature.
    """
    kinds = [_kinds_of(config) for config in (first, second)]
    lacking = kinds[0] ^ kinds[1]
    found = [each for each in _differing(first, second) if _kind(_field(each.key)) not in lacking]
    return Comparison(tuple(found), tuple(words for kind, words in _KINDS.items() if kind in lacking))


def _differing(first: Config, second: Config) -> Iterator[Difference]:
    one, other = _sides(first), _sides(second)
    nothing = Side(None, is_used=True)
    for key in _in_order(one, other):
        a, b = one.get(key, nothing), other.get(key, nothing)
        if a != b and (a.is_set or b.is_set):
            yield Difference(key, a, b, _field(key).unit)


def _in_order(one: dict[str, Side], other: dict[str, Side]) -> Iterator[str]:
    """Yield the keys of both; items that only the second has stand behind those of the first of their list."""
    last = ""
    behind: dict[str, list[str]] = {}
    for key in other:
        if key in one:
            last = key
        else:
            behind.setdefault(last, []).append(key)
    yield from behind.get("", ())
    for key in one:
        yield key
        yield from behind.get(key, ())


def _sides(config: Config) -> dict[str, Side]:
    tables = config.model_dump(by_alias=True)
    return {
        key: Side(value, is_used=failing_condition(_field(key), tables) is None)
        for key, value in settings_of(config).items()
        if not key.startswith("preset.")
    }


def _kinds_of(config: Config) -> set[str]:
    """Return the kinds of settings that only some configurations have, and this one has."""
    named = ((_field(key), value) for key, value in settings_of(config).items())
    return {kind for field, value in named if value != field.default and (kind := _kind(field))}


def _kind(field: FieldInfo) -> str:
    return "bindings" if field.binding else {"prompt": "prompts", "own": "own"}.get(field.about.personal, "")


def _field(key: str) -> FieldInfo:
    field = field_of(key)
    assert field is not None, key  # every key comes from `settings_of`
    return field
