"""`dbtui preset import`: a command or a settings file of another trainer becomes a preset."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbtui.cli.output import narrate, print_json
from trainer_core.errors import ExitCode, UserError

if TYPE_CHECKING:
    from dbtui.presets.importing.result import Imported

_STDIN = "-"


def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A script, a .toml or .json, or - to paste it.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Keep it among your own presets by this name.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it to this file; else to stdout.")
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option("--concepts", metavar="FILE", help="The list of concepts that the settings name, in JSON."),
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", metavar="FILE", help="OneTrainer's samples.json, likewise.")
    ] = None,
    run_file: Annotated[
        Path | None,
        typer.Option(
            "--run-file", metavar="FILE", help="Write a run file too: model, folders and prompts with it."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the preset and all that was found as JSON.")
    ] = False,
) -> None:
    """Make a preset of what another trainer was started with, a command or a settings file.

    Commands are those of train_db.py, train_network.py, fine_tune.py and train_dreambooth.py.
    Paste the command or its whole script; nothing in it is run. What is not taken over is told, with the reason.
    Settings files are read too: sd-scripts' TOML (--config_file, --dataset_config) and the JSON of kohya_ss, of
    OneTrainer (settings, presets, concepts, samples) and of sd_dreambooth_extension (db_config.json).
    """
    from dbtui.presets.importing.read import import_text
    from dbtui.presets.importing.settings_json import Beside
    from dbtui.presets.importing.settle import preset_text, run_file_text
    from dbtui.presets.importing.told import as_json as told_as_json
    from dbtui.presets.importing.told import told

    text, shown = _read(source)
    beside = Beside(_beside(concepts), _beside(samples))
    imported = import_text(text, shown, beside)
    preset = preset_text(imported, _about(imported, name))
    if run_file:
        whole = import_text(text, shown, beside)
        bound = run_file_text(whole)
        imported.left += [each for each in whole.left if each not in imported.left]
        _write(run_file, bound)
    if name or output:
        _write(_place(name, output), preset)
    if as_json:
        print_json(told_as_json(imported, preset))
        return
    for line in told(imported):
        narrate(line)
    if not (name or output):
        sys.stdout.write(preset)


def _read(source: str) -> tuple[str, str]:
    """Return the text and how messages call it."""
    from dbtui.presets.importing.command import LONGEST_TEXT
    from trainer_core.config.toml_file import read_text
    from trainer_core.text import safe_text

    if source != _STDIN:
        return read_text(Path(source)), safe_text(source)
    if sys.stdin.isatty():
        narrate("Paste the command, then press Ctrl-D on an empty line.")
    try:
        return sys.stdin.buffer.read(LONGEST_TEXT + 1).decode("utf-8-sig"), "the pasted text"
    except UnicodeDecodeError:
        raise UserError("the pasted text is not UTF-8", ExitCode.CONFIG) from None


def _beside(path: Path | None) -> str:
    from trainer_core.config.toml_file import read_text

    return read_text(path) if path else ""


def _about(imported: "Imported", name: str | None) -> dict[str, str]:
    return {**({"name": name} if name else {}), "title": f"Imported from {imported.source}"[:120]}


def _place(name: str | None, output: Path | None) -> Path:
    """Return where the preset goes: a file, or one's own folder."""
    from dbtui.presets.compose import check_name
    from dbtui.presets.place import place_of

    if name is None:
        assert output is not None
        return output
    check_name(name)
    return place_of(name, output)


def _write(path: Path, text: str) -> None:
    from dbtui.presets.place import write_new
    from trainer_core.text import safe_text

    write_new(path, text)
    narrate(f"written: {safe_text(path)}")
