"""Reads a configuration: a preset or a run file, what it extends, and what the command line sets over it."""

from collections.abc import Sequence
from pathlib import Path

from trainer_core.config.chain import FindPreset, read_chain
from trainer_core.config.layer import Layer, Tables, check, settings_of
from trainer_core.config.merge import drop_unused, lay_over, report_conflicts, report_unused
from trainer_core.config.overrides import parse_overrides
from trainer_core.config.paths import PathError, resolve
from trainer_core.config.problems import Problems
from trainer_core.config.rules import report_broken_rules
from trainer_core.config.schema import SCHEMA_VERSION, Config
from trainer_core.config.shareable import machine_paths, secrets
from trainer_core.config.toml_file import read_text
from trainer_core.config.words import shown_key
from trainer_core.text import safe_text


def read_config(
    path: Path,
    *,
    find_preset: FindPreset | None = None,
    overrides: Sequence[str] = (),
    over: Sequence[Layer] = (),
) -> Config:
    """Return the complete configuration that the file `path` describes.

    Relative paths in the file begin at its folder, those in `overrides` (`section.key=value`, as `--set` takes
    them) at the current folder; the result holds absolute paths. `over` is laid over the file, below `overrides`.

    Raises:
        UserError: anything is wrong with it, everything at once.
    """
    return parse_config(
        read_text(path),
        str(path),
        folder=path.absolute().parent,
        find_preset=find_preset,
        overrides=overrides,
        over=over,
    )


def parse_config(
    text: str,
    source_name: str,
    *,
    folder: Path | None = None,
    find_preset: FindPreset | None = None,
    overrides: Sequence[str] = (),
    over: Sequence[Layer] = (),
) -> Config:
    """Return the complete configuration of a text; `folder` (the current one if None) is where its paths begin.

    `over` and then `overrides` are laid over it.

    Raises:
        UserError: anything is wrong with it, everything at once.
    """
    problems = Problems()
    source = safe_text(source_name)
    layers = read_chain(text, source, folder or Path.cwd(), find_preset, problems)
    layers += over
    layers.append(Layer("--set", parse_overrides(overrides, problems), Path.cwd()))
    return _resolve(layers, source, problems)


def check_preset(text: str, source_name: str, *, find_preset: FindPreset | None = None) -> Config:
    """Return the complete configuration of a preset that can be shared: nothing of one machine, no secret.

    Raises:
        UserError: anything is wrong with it, everything at once.
    """
    problems = Problems()
    source = safe_text(source_name)
    for problem in secrets(text):
        problems.add(source, problem)
    layers = read_chain(text, source, None, find_preset, problems)
    if layers and layers[-1].name == source:
        for problem in machine_paths(layers[-1].tables):
            problems.add(source, problem)
    return _resolve(layers, source, problems)


def _resolve(layers: list[Layer], source: str, problems: Problems) -> Config:
    """Check every layer by itself, lay them over each other, and check the result.

    Raises:
        UserError: there are problems, these or earlier ones.
    """
    merged: Tables = {}
    for layer in layers:
        tables = check(layer, problems)
        _resolve_paths(tables, layer, problems)
        merged = lay_over(merged, tables)
        report_conflicts(tables, layer.name, problems)
        report_unused(tables, merged, layer.name, problems)
    drop_unused(merged)
    config = Config.model_validate({"schema": SCHEMA_VERSION, **merged})
    report_broken_rules(config, source, problems)
    if problems:
        raise problems.error()
    return config


def _resolve_paths(tables: Tables, layer: Layer, problems: Problems) -> None:
    """Make the paths of checked tables absolute, in place; a preset may hold no bindings."""
    for named in settings_of(tables):
        if named.field.binding and layer.folder is None:
            text = f"{shown_key(named.path)} belongs to one machine and cannot stand in a preset; remove it"
            problems.add_value(layer.name, named.path, text)
        elif named.field.path and layer.folder is not None:
            try:
                named.table[named.field.name] = resolve(named.value, named.field.path, layer.folder)
            except PathError as error:
                problems.add_value(layer.name, named.path, f"{shown_key(named.path)} {error}")
