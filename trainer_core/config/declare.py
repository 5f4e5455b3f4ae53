"""How one setting is declared: its default, help, unit, bounds, group, and when it is used."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PathKind = Literal["", "file", "folder", "model"]
"""What a text names on this machine: nothing, a file, a folder, or a model (a file, a folder, or a Hub id)."""

Affects = Literal["batch", "loss", "file", "event", "kernel", "memory", "list"]
"""Where a change of a setting shows: in the batches (pictures, captions, their order), in the losses or weights,
in the files written, in the events, in the kernels and threads that compute, in what lies in memory and in which
type, or in lists of presets. A test changes each setting and looks there."""

Personal = Literal["", "prompt", "own"]
"""What of a person a setting tells: nothing, the words for what is taught or drawn, or names and accounts."""

CHANGEABLE_GROUPS = ("About", "Previews", "Saving", "Logs")


@dataclass(frozen=True, slots=True)
class UsedWhen:
    """A setting is used only under a condition on the setting `key` (dotted); else naming it is an error.

    Attributes:
        key: the setting that decides.
        values: it must have one of these; with none, any value will do but those of `unless`.
        unless: values that turn the setting off.
    """

    key: str
    values: tuple[Any, ...] = ()
    unless: tuple[Any, ...] = ()

    def holds(self, value: Any) -> bool:
        """Tell whether the setting is used while the deciding one has `value`."""
        return value in self.values if self.values else value not in self.unless


@dataclass(frozen=True, slots=True)
class About:
    """What the schema knows of a setting besides its type and bounds.

    Attributes:
        group: the heading under which a form shows the setting.
        affects: where a change of it shows.
        unit: the unit of the number, empty where it has none.
        binding: whether it belongs to one machine (a path, say) and so never to a preset.
        path: what the text names on this machine; a relative path is resolved when it is read.
        used_when: the condition under which the setting has an effect, None for always.
        instead_of: the setting (dotted) that this one replaces: naming both in one file is an error.
        inherited: whether a file that extends another and changes a setting takes this one over.
        changeable: whether a run that is resumed may change it: what was learned stays what it was.
        personal: what of a person it tells; a preset made from a run is made without it.
    """

    group: str
    affects: Affects
    unit: str = ""
    binding: bool = False
    path: PathKind = ""
    used_when: UsedWhen | None = None
    instead_of: str = ""
    inherited: bool = True
    changeable: bool = False
    personal: Personal = ""


class Table(BaseModel):
    """A table of the TOML file: strict types, unknown keys refused, read-only once read."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        validate_default=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    affects: Affects,
    unit: str = "",
    binding: bool = False,
    path: PathKind = "",
    used_when: UsedWhen | None = None,
    instead_of: str = "",
    inherited: bool = True,
    changeable: bool | None = None,
    personal: Personal = "",
    **field_arguments: Any,
) -> Any:
    """Declare a setting; `field_arguments` are pydantic's own (ge, le, min_length, alias, ...).

    Without `changeable` the group decides: what is shown or written may change in the middle of a run.
    """
    about = About(
        group=group,
        affects=affects,
        unit=unit,
        binding=binding,
        path=path,
        used_when=used_when,
        instead_of=instead_of,
        inherited=inherited,
        changeable=group in CHANGEABLE_GROUPS if changeable is None else changeable,
        personal=personal,
    )
    if isinstance(default, list | dict):
        field_arguments["default_factory"] = lambda: type(default)(default)
    else:
        field_arguments["default"] = default
    info = Field(description=help, **field_arguments)
    info.metadata.append(about)
    return info
