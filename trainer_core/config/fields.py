"""The schema walked once into plain records: what messages, docs, the JSON Schema and forms are made from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo as ModelField
from pydantic_core import PydanticUndefined

from trainer_core.config.declare import About, PathKind, UsedWhen
from trainer_core.config.schema import Config

Kind = Literal["text", "number", "whole number", "true/false", "choice", "list"]

_KINDS: dict[type, Kind] = {str: "text", float: "number", int: "whole number", bool: "true/false"}
_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueInfo:
    """What values a setting takes.

    Attributes:
        kind: the type in the words of TOML.
        choices: the allowed values of a choice.
        words: a description of the allowed text, where a pattern restricts it.
        items: what a list of fixed length holds, one entry per place.
    """

    kind: Kind
    choices: tuple[Any, ...] = ()
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    words: str = ""
    items: tuple["ValueInfo", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One setting.

    Attributes:
        key: dotted name as in the file; inside a list of tables, the name without a number: "concept.repeats".
        table: dotted name of its table.
        name: its name in the file.
        attribute: its name in Python, which differs where the file's name is a Python keyword.
        value: what values it takes.
        default: its value when it is not named; None where it is unset or required.
        required: whether its table must name it.
        about: group, unit, binding, path, used_when, instead_of and inherited, as declared.
    """

    key: str
    table: str
    name: str
    attribute: str
    value: ValueInfo
    default: Any
    required: bool
    help: str
    about: About

    @property
    def group(self) -> str:
        """The heading under which a form shows it."""
        return self.about.group

    @property
    def unit(self) -> str:
        """The unit of its number, empty where it has none."""
        return self.about.unit

    @property
    def binding(self) -> bool:
        """Whether it belongs to one machine and so never to a preset."""
        return self.about.binding

    @property
    def path(self) -> PathKind:
        """What its text names on this machine."""
        return self.about.path

    @property
    def used_when(self) -> UsedWhen | None:
        """The condition under which it has an effect."""
        return self.about.used_when


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """One table, or one list of tables: its settings and the tables below it, in the order of the file."""

    key: str
    name: str
    attribute: str
    help: str
    fields: tuple[FieldInfo, ...]
    tables: tuple["TableInfo", ...]
    is_list: bool = False
    max_length: int | None = None
    inherited: bool = True

    @property
    def header(self) -> str:
        """How the table is opened in the file."""
        return f"[[{self.key}]]" if self.is_list else f"[{self.key}]"

    def field(self, name: str) -> FieldInfo | None:
        """Return its setting of that name."""
        return next((field for field in self.fields if field.name == name), None)

    def table(self, name: str) -> "TableInfo | None":
        """Return the table of that name directly below it."""
        return next((table for table in self.tables if table.name == name), None)


@cache
def root() -> TableInfo:
    """Return the whole schema; `schema` and `extends`, which are no settings, are left out."""
    whole = _table(Config, key="", name="", attribute="")
    return replace(whole, fields=())


@cache
def all_tables() -> tuple[TableInfo, ...]:
    """Return every table in the order of the file, without the root."""
    return tuple(_descend(root()))[1:]


@cache
def all_fields() -> dict[str, FieldInfo]:
    """Return every setting by its dotted key, in the order of the file."""
    return {field.key: field for table in all_tables() for field in table.fields}


def _descend(table: TableInfo) -> Iterator[TableInfo]:
    yield table
    for below in table.tables:
        yield from _descend(below)


def _table(model: type[BaseModel], *, key: str, name: str, attribute: str, **more: Any) -> TableInfo:
    fields, tables = [], []
    for below, declared in model.model_fields.items():
        below_name = declared.alias or below
        below_key = f"{key}.{below_name}" if key else below_name
        if (kind := _model_of(declared.annotation)) is None:
            fields.append(_field(declared, key=below_key, table=key, name=below_name, attribute=below))
            continue
        below_model, is_list = kind
        about = _about(declared)
        tables.append(
            _table(
                below_model,
                key=below_key,
                name=below_name,
                attribute=below,
                is_list=is_list,
                max_length=_bounds(declared.metadata).get("max_length"),
                inherited=about.inherited if about else True,
            )
        )
    help_text = " ".join((model.__doc__ or "").split())
    return TableInfo(
        key=key,
        name=name,
        attribute=attribute,
        help=help_text,
        fields=tuple(fields),
        tables=tuple(tables),
        **more,
    )


def _field(declared: ModelField, *, key: str, table: str, name: str, attribute: str) -> FieldInfo:
    required = declared.is_required()
    default = None if required else declared.get_default(call_default_factory=True)
    return FieldInfo(
        key=key,
        table=table,
        name=name,
        attribute=attribute,
        value=_value(declared.annotation, _bounds(declared.metadata)),
        default=None if default is PydanticUndefined else default,
        required=required,
        help=declared.description or "",
        about=_about(declared) or About(group="", affects="list"),
    )


def _about(declared: ModelField) -> About | None:
    return next((item for item in declared.metadata if isinstance(item, About)), None)


def _model_of(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """Return the table that an annotation stands for and whether it is a list of them; None for a plain value."""
    if get_origin(annotation) is list:
        inner = get_args(annotation)[0]
        return (inner, True) if _is_model(inner) else None
    return (annotation, False) if _is_model(annotation) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    found = {}
    for item in metadata:
        for name in _BOUNDS:
            if (value := getattr(item, name, None)) is not None:
                found[name] = value
    return found


def _value(annotation: Any, bounds: dict[str, Any]) -> ValueInfo:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _value(inner, bounds)
    if origin is Annotated:
        inner, *metadata = arguments
        for item in metadata:
            bounds = {**bounds, **_bounds(item.metadata), "words": item.description or ""}
        return _value(inner, bounds)
    if origin is Literal:
        return ValueInfo(kind="choice", choices=arguments, **bounds)
    if origin is tuple:
        return ValueInfo(kind="list", items=tuple(_value(argument, {}) for argument in arguments), **bounds)
    return ValueInfo(kind=_KINDS[annotation], **bounds)
