"""Rows 37 to 43 of the acceptance table through each command that reads settings, however the file comes to it."""

import os
import unicodedata
from pathlib import Path

import pytest

from dbtui.cli.app import run
from dbtui.presets.library import shipped_folder
from tests.fuzz.watched import nothing_outside

HOSTILE = "\x1b]0;owned\x07\x1b[31m[bold]x[/foo][@click=app.quit]\u202e\x9b2J\u2028"
QUOTED = "".join(f"\\u{ord(each):04x}" if not each.isprintable() else each for each in HOSTILE)

WRONG = {
    "schema of the future": (37, "schema = 99\n", "newer dbtui"),
    "no schema": (37, "[train]\nmax_steps = 3\n", "schema is missing"),
    "unknown setting": (38, "schema = 1\n[optimizer]\nlearnig_rate = 1e-6\n", "did you mean learning_rate"),
    "unknown table": (38, "schema = 1\n[optimiser]\ntype = 'adamw'\n", "did you mean optimizer"),
    "number as text": (39, 'schema = 1\n[optimizer]\nlearning_rate = "1e-4"\n', "remove the quotes"),
    "true as number": (39, "schema = 1\n[train]\nbatch_size = true\n", "train.batch_size must be"),
    "table as value": (39, "schema = 1\ntrain = 3\n", "train must be a table"),
    "value as table": (39, "schema = 1\n[train.max_steps]\na = 1\n", "train.max_steps must be"),
    "nan": (40, "schema = 1\n[optimizer]\nlearning_rate = nan\n", "greater than 0"),
    "infinity": (40, "schema = 1\n[optimizer]\nlearning_rate = 1e400\n", "greater than 0"),
    "minus one": (40, "schema = 1\n[train]\nseed = -1\n", "from 0 to"),
    "zero": (40, "schema = 1\n[train]\nbatch_size = 0\n", "from 1 to"),
    "huge": (40, f"schema = 1\n[train]\nmax_steps = {10**30}\n", "train.max_steps must be"),
    "no TOML": (41, "schema = 1\n[train\n", "line 2"),
    "deep": (41, "a = " + "[" * 30_000, "nested too deeply"),
    "large": (41, "schema = 1\n# " + "x" * 70_000, "larger than 64 KB"),
    "binary": (41, b"\x7fELF\x02\x01\x01\0\xff\xfe", "is not UTF-8"),
    "UTF-16": (41, "schema = 1\n".encode("utf-16"), "UTF-16"),
    "a path in extends": (42, 'schema = 1\nextends = "../outside"\n', "must be the name of a preset"),
    "a whole path in extends": (42, 'schema = 1\nextends = "/etc/passwd"\n', "must be the name of a preset"),
    "a link out in extends": (42, 'schema = 1\nextends = "link"\n', '"link" is not a preset'),
    "a path as name": (42, 'schema = 1\n[save]\noutput_name = "../../out"\n', "save.output_name must be"),
    "NUL": (42, 'schema = 1\n[dataset]\ncaption_prefix = "a\\u0000b"\n', "NUL"),
    "escapes": (43, f'schema = 1\n[train]\n"{QUOTED}" = 1\n[optimizer]\ntype = "{QUOTED}"\n', "owned"),
    "escapes in extends": (43, f'schema = 1\nextends = "{QUOTED}"\n', "must be the name of a preset"),
}
"""By name: its row, the file, and what must be told of it."""

BY_FILE = [
    "preset check {file}",
    "preset show {file} --resolved",
    "preset diff {file} sd15-12gb",
    "preset diff sd15-12gb {file}",
    "preset new copy --from {file} -o -",
    "plan {file}",
    "run {file}",
    "scan --config {file}",
]
BY_NAME = [
    "preset check stranger",
    "preset diff stranger sd15-12gb",
    "preset new copy --from stranger -o -",
    "run stranger",
]
EXTENDING = ["preset check {file}", "preset new copy --from {file} -o -", "plan {file}", "run {file} --dry-run"]


SHORT = ("schema of the future", "a path in extends", "escapes")


def some_of_them():
    """Those of the short form, and all where every row is tried."""
    for name, (row, *what) in WRONG.items():
        marks = [pytest.mark.row(row), *([] if name in SHORT else [pytest.mark.faults])]
        yield pytest.param(*what, id=name, marks=marks)


@pytest.fixture
def told(tmp_path, own_presets, monkeypatch, capsys):
    """Return a function that calls commands that must refuse `file`, and returns what they printed."""
    outside = tmp_path / "outside.toml"
    outside.write_text("schema = 1\n")
    (own_presets / "link.toml").symlink_to(outside)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    monkeypatch.chdir(stranger)

    def call(commands: list[str], file: Path, codes: tuple[int, ...] = (2,)) -> list[str]:
        printed = []
        for command in commands:
            before = sorted(tmp_path.rglob("*"))
            with nothing_outside(stranger, own_presets, shipped_folder(), link_to=outside):
                code = run(command.format(file=file).split())
            both = "".join(capsys.readouterr())
            assert code in codes, f"{command}: {code} {both}"
            assert sorted(tmp_path.rglob("*")) == before, command
            assert not [
                each for each in both if each not in "\n\t" and unicodedata.category(each) in {"Cc", "Cf", "Zl"}
            ]
            assert len(both) < 8000
            printed.append(both)
        return printed

    return call


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("content", "said"), some_of_them())
def test_a_file_of_a_stranger(told, own_presets, content, said):
    file = _write(Path.cwd() / "some.toml", content)
    for text in told(BY_FILE, file):
        assert said in text
        assert "some.toml" in text, "the file is named"
    _write(own_presets / "stranger.toml", content)
    for text in told(BY_NAME, file):
        assert said in text
        assert "stranger" in text
    _write(file, 'schema = 1\nextends = "stranger"\n[dataset]\ncaption_extension = ".txt"\n')
    for text in told(EXTENDING, file):
        assert said in text
        assert "stranger" in text


@pytest.mark.row(37, 38, 39, 40, 41, 42, 43)
def test_each_is_told_by_check_and_by_import(told):
    for content, said in (what for _, *what in WRONG.values()):
        file = _write(Path.cwd() / "some.toml", content)
        (text,) = told(["preset check {file}"], file)
        assert said in text
        told(["preset import {file}"], file, (0, 2))


@pytest.mark.row(37, 38, 39, 40, 41, 42, 43)
def test_broken_presets_among_ones_own_are_listed_and_the_others_work(told, own_presets):
    for number, (_, content, _) in enumerate(WRONG.values()):
        _write(own_presets / f"stranger-{number}.toml", content)
    (text,) = told(["preset list"], own_presets, (0,))
    for number in range(len(WRONG)):
        assert f"dbtui preset check stranger-{number}" in text
    told(["preset check sd15-8gb"], own_presets, (0,))


@pytest.mark.parametrize("broken", ["preset = 3\n", "[", "\xff\n", 'extends = ["a"]\n'])
def test_a_broken_preset_of_the_name_that_a_file_was_made_from(own_presets, tmp_path, capsys, broken):
    _write(own_presets / "mine.toml", broken.encode("latin-1"))
    file = _write(tmp_path / "some.toml", 'schema = 1\n[preset]\nname = "mine"\n[train]\nmax_steps = 3\n')
    assert run(["preset", "new", "copy", "--from", str(file), "-o", "-"]) == 0
    assert "max_steps = 3" in capsys.readouterr().out


@pytest.mark.row(41, 42)
def test_what_is_no_file_is_not_opened(told):
    os.mkfifo("pipe.toml")
    Path("folder.toml").mkdir()
    Path("loop.toml").symlink_to("loop.toml")
    with Path("huge.toml").open("wb") as file:
        file.truncate(2**30)
    for name in ("pipe.toml", "folder.toml", "loop.toml", "huge.toml", "gone.toml", "./a\0b.toml"):
        for text in told(["preset check {file}", "preset import {file}", "run {file}"], Path(name)):
            assert name.replace("\0", "\\x00").removeprefix("./") in text
    Path("endless.toml").symlink_to("/dev/zero")
    assert run(["preset", "check", "endless.toml"]) == 2


def test_a_run_file_is_told_once_of_each_path(told):
    text = 'schema = 1\n[model]\nbase = "/models/a.safetensors"\n[dataset]\ntrain_dir = "~/pictures"\n'
    (printed,) = told(["preset check {file}"], _write(Path.cwd() / "run.toml", text))
    assert len(printed.splitlines()) == 2


def test_the_group_alone_prints_its_help_and_no_empty_error(capsys):
    assert run(["preset"]) == 2
    printed = capsys.readouterr()
    assert "error" not in printed.err
    assert "import" in printed.out + printed.err
