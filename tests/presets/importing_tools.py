"""What the tests of imported settings files share."""

import json
from pathlib import Path

from dbtui.presets.importing.read import import_text
from dbtui.presets.importing.settings_json import Beside
from dbtui.presets.importing.settle import preset_text, run_file_text
from trainer_core.config.reader import check_preset, parse_config

FILES = Path(__file__).parent / "settings_files"


def text_of(name):
    return (FILES / name).read_text(encoding="utf-8")


def imported_of(text, **beside):
    """Return what an import found and the preset that it makes, read again."""
    found = import_text(text if isinstance(text, str) else json.dumps(text), "the file", Beside(**beside))
    return found, check_preset(preset_text(found, {}), "the import")


def run_of(text, **beside):
    """Return the configuration of the run file that an import makes."""
    text = text if isinstance(text, str) else json.dumps(text)
    return parse_config(run_file_text(import_text(text, "the file", Beside(**beside))), "the run")


def reasons(found):
    return {each.option: each.reason for each in (*found.left, *found.unknown)}


def said(found):
    """Return the options of which an import says what became."""
    options = [
        *(each.option for each in found.settings.values()),
        *(each.option for each in found.left),
        *found.same,
    ]
    return {word for option in options for word in option.split(" ")}
