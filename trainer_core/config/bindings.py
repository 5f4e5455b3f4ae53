"""Binds a configuration to one machine: the model, the pictures and the names that the command line gives."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainer_core.config.declare import PathKind
from trainer_core.config.fields import all_fields
from trainer_core.config.paths import PathError, resolve
from trainer_core.config.prior_rules import unused_class_prompts
from trainer_core.config.problems import Problems
from trainer_core.config.rules import report_broken_rules
from trainer_core.config.schema import Config
from trainer_core.config.words import wrong_value
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_REPEATS_FOLDER = re.compile(r"-?\d+[_ ]")
_NO_MODEL = "no start model: give it with --model (a file, a folder, or a Hub id), or set model.base"


def require_bindings(config: Config, *, no_model: str = "") -> None:
    """Refuse a configuration that lacks what every run needs, or names what nothing in it uses.

    `no_model` says more than usual of a start model that is missing.

    Raises:
        UserError: each problem with the option that mends it.
    """
    missing = []
    if config.model.base is None:
        missing.append(no_model or _NO_MODEL)
    if config.dataset.train_dir is None and not config.concept:
        missing.append(
            "no pictures: give their folder with --data (with --identifier and --class if it is a plain folder"
            " of pictures), or set dataset.train_dir"
        )
    for number, concept in enumerate(config.concept, start=1):
        if concept.instance_dir is None:
            option = "give it with --data, or set" if len(config.concept) == 1 else "set"
            missing.append(f"[[concept]] number {number} has no folder of pictures: {option} its instance_dir")
    missing += unused_class_prompts(config)
    if not config.sample.prompts and config.sample.prompts_file is None:
        missing += _previews_of_nothing(config)
    if config.hub.push and config.hub.repo_id is None:
        missing.append("hub.push is set but not where to: set hub.repo_id, such as owner/name, or remove hub.push")
    if missing:
        raise UserError(missing, ExitCode.CONFIG)


def _previews_of_nothing(config: Config) -> list[str]:
    sample = config.sample
    when = ("every_n_steps", "every_n_epochs", "after_save", "before_training")
    named = [name for name in when if getattr(sample, name)]
    if sample.num_per_prompt > 1:
        named.append("num_per_prompt")
    return [
        f"sample.{name} is set but there is nothing to draw: add a [[sample.prompts]] table with a prompt,"
        f" name a sample.prompts_file, or remove sample.{name}"
        for name in named
    ]


def bind(
    config: Config,
    *,
    model: str | Path | None = None,
    data: str | Path | None = None,
    reg: str | Path | None = None,
    identifier: str | None = None,
    class_: str | None = None,
    output_name: str | None = None,
    output_dir: str | Path | None = None,
) -> Config:
    """Return the configuration with what the command line gave; relative paths begin at the current folder.

    With an identifier or a class, `data` is a plain folder of pictures and becomes the one [[concept]]; without
    them it is the concept's folder if the configuration has exactly one concept, else `dataset.train_dir`.
    `reg` follows `data`: it is the concept's class_dir, in place of `dataset.reg_dir`, else that.

    Raises:
        UserError: the options do not go together, or a value is not allowed.
    """
    tables = config.model_dump(by_alias=True)
    tables["model"]["base"] = _path("--model", model, "model") or config.model.base
    tables["save"]["output_dir"] = _path("--output-dir", output_dir, "folder") or config.save.output_dir
    tables["save"]["output_name"] = output_name or config.save.output_name
    given = {
        "instance_dir": _path("--data", data, "folder"),
        "class_dir": _path("--reg", reg, "folder"),
        "identifier": identifier,
        "class": class_,
    }
    _bind_pictures(tables, {name: value for name, value in given.items() if value is not None})
    return _validated(tables)


def _bind_pictures(tables: dict[str, Any], given: dict[str, str]) -> None:
    """Put the folders and names where the configuration's layout wants them, in place."""
    concepts, dataset = tables["concept"], tables["dataset"]
    if not given:
        return
    if len(concepts) > 1:
        raise _error(
            "the configuration has several [[concept]] tables, so --data, --reg, --identifier and --class cannot"
            " say which is meant; set instance_dir, class_dir, identifier and class in the file"
        )
    if not concepts and not {"identifier", "class"} & given.keys():
        dataset["train_dir"] = given.get("instance_dir", dataset["train_dir"])
        dataset["reg_dir"] = given.get("class_dir", dataset["reg_dir"])
        return
    if not concepts and "instance_dir" not in given:
        raise _error("--identifier and --class name the pictures of a plain folder: give it with --data")
    if "instance_dir" in given:
        _refuse_repeats_folders(given["instance_dir"])
        dataset["train_dir"] = None
    if "class_dir" in given:
        dataset["reg_dir"] = None
    concepts[:] = [{**(concepts[0] if concepts else {}), **given}]


def _refuse_repeats_folders(folder: str) -> None:
    """Refuse a folder whose subfolders name identifier and class themselves: one of the two would be ignored."""
    named: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:  # what is missing or unreadable is told by the scan
        named = sorted(entry.name for entry in entries if entry.is_dir() and _REPEATS_FOLDER.match(entry.name))
    if named:
        raise _error(
            f'{safe_text(folder)} holds the folder "{safe_text(named[0], limit=80)}", whose name gives repeats,'
            " identifier and class; leave out --identifier, --class and [[concept]], or give the inner folder"
        )


def _path(option: str, value: str | Path | None, kind: PathKind) -> str | None:
    if value is None:
        return None
    text = os.fspath(value)
    if not text or "\0" in text:
        raise _error(f"{option} is empty or contains a NUL character; give a path")
    try:
        return resolve(text, kind, Path.cwd())
    except PathError as error:
        raise _error(f"{option} {safe_text(text)} {error}") from None


def _validated(tables: dict[str, Any]) -> Config:
    try:
        return _without_broken_rules(Config.model_validate(tables))
    except ValidationError as error:
        problems = []
        for details in error.errors(include_url=False):
            key = ".".join(str(part) for part in details["loc"] if isinstance(part, str))
            problems.append(wrong_value(details["loc"], all_fields()[key], details["input"]))
        raise UserError(problems, ExitCode.CONFIG) from None


def _without_broken_rules(config: Config) -> Config:
    """Return the configuration if what was bound goes together with the rest, which was checked before."""
    problems = Problems()
    report_broken_rules(config, "with the options given", problems)
    if problems:
        raise problems.error()
    return config


def _error(text: str) -> UserError:
    return UserError(text, ExitCode.CONFIG)
