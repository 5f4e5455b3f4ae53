"""Makes a preset out of settings: nothing of one machine in it, and nothing that `dbtui preset check` refuses."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

import tomlkit

from dbtui import __version__
from dbtui.presets.differing import differing
from dbtui.presets.library import find_text, shipped
from dbtui.presets.source import Source
from trainer_core.config.chain import PRESET_NAME
from trainer_core.config.fields import all_fields
from trainer_core.config.layer import Tables, settings_of
from trainer_core.config.prompts_file import with_prompts_of_file
from trainer_core.config.reader import check_preset, parse_config
from trainer_core.config.schema import SCHEMA_VERSION, Config
from trainer_core.config.strip import REASONS, LeftOut, strip, what_is_private
from trainer_core.config.tables.about import Measured
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

_HEAD = f"# Made by `dbtui preset new` {__version__}. `dbtui preset check FILE` tells whether it can be trusted.\n"


@dataclass(frozen=True, slots=True)
class Composed:
    """A preset that can be written.

    Attributes:
        text: its file.
        config: what it means.
        extends: the shipped preset that it builds on; None if it is complete.
        own: how many settings it names over that preset.
        left_out: what of the settings it was made without.
    """

    text: str
    config: Config
    extends: str | None
    own: int
    left_out: tuple[LeftOut, ...]


def compose(
    source: Source,
    name: str,
    *,
    about: Mapping[str, str] | None = None,
    keep_prompts: bool = False,
    measured: Measured | None = None,
    complete: bool = False,
) -> Composed:
    """Make a preset called `name` of the settings of `source`.

    `about` holds title, description, author and license; what it does not name is the source's. The preset holds
    the differences to the shipped one that the source was made from, if there is one and they can say it, and not
    `complete` is wanted.

    Raises:
        UserError: the name cannot be a preset's, or `dbtui preset check` would refuse the result.
    """
    check_name(name)
    taken = with_prompts_of_file(source.config) if keep_prompts else source.config
    tables, left_out = strip(taken, keep_prompts=keep_prompts)
    tables["preset"] = _about(source.config, name, about or {}, measured)
    shown = f'the new preset "{name}"'
    config = check_preset(tomlkit.dumps({"schema": SCHEMA_VERSION, **tables}), shown, find_preset=find_text)
    base = None if complete else source.shipped_preset()
    if base and (differences := _over(base, config, shown)):
        text, own, meant = differences
        return Composed(text, meant, base, own, tuple(left_out))
    text = _HEAD + dump_config(config)
    if check_preset(text, shown, find_preset=find_text) != config:
        raise UserError(f"{shown} would not mean the same when it is read", ExitCode.FAILED)
    return Composed(text, config, None, 0, tuple(left_out))


def check_name(name: str) -> None:
    """Raise UserError if no preset of one's own can have the name."""
    if not PRESET_NAME.fullmatch(name):
        text = f'"{safe_text(name, 80)}" cannot be the name of a preset: use 1 to 64 letters, digits, dots, _ or -'
        raise UserError(text, ExitCode.CONFIG)
    if name in {preset.name for preset in shipped()}:
        text = f"dbtui ships a preset named {name}, which that name always means: choose another"
        raise UserError(text, ExitCode.CONFIG)


def _about(config: Config, name: str, given: Mapping[str, str], measured: Measured | None) -> Tables:
    """Return [preset]: what was given, else what the source said of the same settings."""
    said = config.preset.model_dump(by_alias=True)
    table = {key: value for key, value in {**said, **given, "name": name}.items() if value not in (None, "", [])}
    if measured is not None:
        table["measured"] = [*table.get("measured", ()), measured.model_dump()]
    texts = {f"preset.{key}": value for key, value in table.items() if isinstance(value, str)}
    texts |= {"preset.measured.gpu": measured.gpu, "preset.measured.version": measured.version} if measured else {}
    found = {key: what_is_private(text) for key, text in texts.items()}
    problems = [f"{key} {REASONS[why]}: give another" for key, why in found.items() if why]
    if problems:
        raise UserError(problems, ExitCode.CONFIG)
    return table


def _over(base: str, config: Config, shown: str) -> tuple[str, int, Config] | None:
    """Return the file that says `config` over the shipped preset, how many settings it names, and what it means.

    None if differences cannot say it: where the preset has a value, and here is none.
    """
    below = parse_config(find_text(base) or "", base, find_preset=find_text).model_dump(by_alias=True)
    whole = tomllib.loads(dump_config(config, comments=False))
    del whole["schema"], whole["preset"]
    own = {named.field.key for named in settings_of(differing(whole, below))}
    about = {key for key in all_fields() if key.startswith("preset.")}
    text = _HEAD + dump_config(config, extends=base, keys=own | about)
    try:
        meant = check_preset(text, shown, find_preset=find_text)
    except UserError:
        return None
    # What a preset says of its settings (title, card) is inherited by a file that changes none of them.
    is_same = meant.model_copy(update={"preset": config.preset}) == config
    return (text, len(own), meant) if is_same else None
