"""The settings that `dbtui scan` looks at a dataset with: a file's, if there is one, and the options over them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_utf8
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from trainer_core.config.layer import Layer
    from trainer_core.config.schema import Config


def scan_config(
    folder: Path | None,
    reg: Path | None,
    *,
    file: str | None,
    resolution: str | None,
    buckets: bool,
    extension: str | None,
    captions: str | None,
    overrides: list[str],
) -> "Config":
    """Return the configuration that the options of `dbtui scan` make.

    Raises:
        UserError: what is wrong in them or in the file, everything at once.
    """
    if folder is None and file is None:
        text = "no pictures: name their folder (dbtui scan DIR), or a run file that does, with --config"
        raise UserError(text, ExitCode.CONFIG)
    layers = _layers(folder, reg, resolution, buckets, extension, captions)
    return _with_folders(_read(file, layers, overrides), folder, reg)


def _with_folders(config: "Config", folder: Path | None, reg: Path | None) -> "Config":
    """Put in the folders as they were typed."""
    named = {"train_dir": folder, "reg_dir": reg}
    folders = {name: str(path) for name, path in named.items() if path is not None}
    return config.model_copy(update={"dataset": config.dataset.model_copy(update=folders)})


def _read(file: str | None, layers: list["Layer"], overrides: list[str]) -> "Config":
    """Lay what the options say of the pictures over the file, if there is one."""
    from dbtui.presets.library import open_preset
    from dbtui.presets.settings import read_settings
    from trainer_core.config.reader import parse_config

    if file is None:
        return parse_config("schema = 1", "these settings", over=layers, overrides=overrides)
    return read_settings(open_preset(file), over=layers, overrides=overrides)


def _layers(
    folder: Path | None,
    reg: Path | None,
    resolution: str | None,
    buckets: bool,
    extension: str | None,
    captions: str | None,
) -> list["Layer"]:
    """Return what each option sets."""
    from trainer_core.config.layer import Layer, Tables

    named = {"DIR": folder, "--reg": reg}
    if wrong := [f"{option} {safe_text(path)}" for option, path in named.items() if path and not is_utf8(path)]:
        raise UserError(
            [f"{name} is not UTF-8, so no run could name it; rename it" for name in wrong], ExitCode.CONFIG
        )
    size = _size(resolution) if resolution is not None else None
    bucket: dict[str, Any] = {"enable": True} if buckets else {}
    if buckets and size:
        bucket |= {"min_reso": min(256, *size), "max_reso": max(1024, *size)}
    given: dict[str, Tables] = {
        "--captions": {"method": {"captions": captions}} if captions else {},
        "--resolution": {"dataset": {"resolution": size}} if size else {},
        "--buckets": {"dataset": {"bucket": bucket}},
        "--reg": {"dataset": {"reg_dir": str(reg)}} if reg else {},
        "--caption-extension": {"dataset": {"caption_extension": extension}} if extension is not None else {},
    }
    return [Layer(option, tables, Path.cwd()) for option, tables in given.items()]


def _size(resolution: str) -> tuple[int, int]:
    from pydantic import ValidationError

    from trainer_core.config.schema import Dataset

    sides = resolution.lower().replace("x", ",").split(",")
    try:
        width, height = (int(side) for side in (sides * 2 if len(sides) == 1 else sides))
        return Dataset(resolution=(width, height)).resolution
    except (ValueError, ValidationError):
        text = "--resolution takes one side or two, such as 512 or 512,768: multiples of 64, from 64 to 4096"
        raise UserError(text, ExitCode.CONFIG) from None
