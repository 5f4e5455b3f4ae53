"""`dbtui preset`: list, show and check presets; `new` and `diff` have files of their own."""

import sys
from typing import Annotated

import typer

from dbtui.cli.output import narrate, print_json
from dbtui.cli.preset_diff import diff
from dbtui.cli.preset_import import import_
from dbtui.cli.preset_new import new
from trainer_core.errors import ExitCode, UserError

app = typer.Typer(
    help="The preset library: complete settings for a model and a size of card.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


@app.command("list")
def list_presets(as_json: Json = False) -> None:
    """List the presets that come with dbtui and your own."""
    from dbtui.presets.inspect import inspect
    from dbtui.presets.library import shipped, user_folder, yours
    from dbtui.presets.show import print_list
    from trainer_core.text import safe_text

    own, remarks = yours()
    presets = [inspect(preset) for preset in (*shipped(), *own)]
    for remark in remarks:
        narrate(f"note: {remark}")
    if as_json:
        print_json([preset.as_json() for preset in presets])
        return
    print_list(presets)
    if sys.stdout.isatty():
        narrate(f"Yours go into {safe_text(user_folder())}.  `dbtui preset show NAME` shows one.")


@app.command("show")
def show(
    preset: Annotated[
        str, typer.Argument(metavar="NAME_OR_FILE", help="A preset's name, a .toml file, or a model.")
    ],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every setting with its value, what it extends included.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a preset as it was written, or complete."""
    from dbtui.presets.inspect import inspect
    from dbtui.presets.library import open_preset
    from dbtui.presets.show import print_preset, print_toml
    from trainer_core.config.toml_file import parse_toml
    from trainer_core.config.writer import dump_config
    from trainer_core.text import safe_text

    file = open_preset(preset)
    text = file.text()
    inspected = inspect(file)
    if (resolved or as_json) and inspected.config is None:
        raise UserError(inspected.problems, ExitCode.CONFIG)
    if resolved and inspected.config is not None:
        text = dump_config(inspected.config)
    if as_json:
        print_json({**inspected.as_json(), "resolved": resolved, "settings": parse_toml(text, safe_text(preset))})
        return
    print_preset(inspected)
    print_toml(text)


@app.command("check")
def check(
    presets: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_NAME...", help="Presets, by name or by file; models.")
    ],
    as_json: Json = False,
) -> int:
    """Say everything that is wrong with presets, or what keeps them from being shared."""
    checked = [_checked(preset) for preset in presets]
    if as_json:
        print_json([{"preset": name, "ok": not problems, "problems": problems} for name, problems in checked])
        return int(ExitCode.CONFIG if any(problems for _, problems in checked) else ExitCode.DONE)
    for name, problems in checked:
        if not problems:
            _print_ok(name)
    if every := [problem for _, problems in checked for problem in problems]:
        raise UserError(every, ExitCode.CONFIG)
    return int(ExitCode.DONE)


app.command("new")(new)
app.command("diff")(diff)
app.command("import")(import_)


def _checked(name_or_file: str) -> tuple[str, list[str]]:
    from dbtui.presets.inspect import inspect
    from dbtui.presets.library import open_preset

    try:
        return name_or_file, list(inspect(open_preset(name_or_file)).problems)
    except UserError as error:
        return name_or_file, error.problems


def _print_ok(name: str) -> None:
    from trainer_core.text import safe_text

    sys.stdout.write(f"ok  {safe_text(name)}\n")
