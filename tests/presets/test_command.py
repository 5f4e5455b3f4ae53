"""`dbtui preset` as a person or a script runs it."""

import json
import os
import pty
import subprocess
import sys
import tomllib

import pytest

from dbtui.cli.app import run
from trainer_core.config.reader import parse_config

BAD = 'schema = 1\n[train]\nmax_stepz = 3\n"\\u001b]0;owned\\u0007[bold]" = 1\n'


def test_list(capsys):
    assert run(["preset", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[:3] == ["sd15-6gb", "6 GB", "unverified"]
    assert len(lines) == 13


def test_list_as_json_with_one_that_is_broken(capsys, own_presets):
    (own_presets / "mine.toml").write_text(BAD)
    assert run(["preset", "list", "--json"]) == 0
    listed = {preset["name"]: preset for preset in json.loads(capsys.readouterr().out)}
    assert listed["sd15-8gb"]["measured"] == []
    assert len(listed["mine"]["problems"]) == 2


def test_show_prints_the_file_as_it_is(capsys):
    assert run(["preset", "show", "sd15-8gb"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["extends"] == "sd15-12gb"


def test_show_resolved_extends_nothing(capsys):
    assert run(["preset", "show", "sd15-8gb", "--resolved"]) == 0
    config = parse_config(capsys.readouterr().out, "x")
    assert (config.memory.full_fp16, config.optimizer.learning_rate) == (True, 1e-6)


def test_show_as_json(capsys):
    assert run(["preset", "show", "sd15-8gb", "--json", "--resolved"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["train"]["max_steps"] == 1600


def test_check_tells_every_problem_of_every_file(capsys, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(BAD)
    assert run(["preset", "check", "sd15-8gb", str(file), "nowhere", str(tmp_path / "none.toml")]) == 2
    printed = capsys.readouterr()
    assert printed.out == "ok  sd15-8gb\n"
    assert len(printed.err.splitlines()) == 4
    assert "did you mean max_steps?" in printed.err
    assert "\x1b" not in printed.err


def test_check_as_json(capsys, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(BAD)
    assert run(["preset", "check", "sd15-8gb", str(file), "--json"]) == 2
    good, bad = json.loads(capsys.readouterr().out)
    assert (good["ok"], bad["ok"], len(bad["problems"])) == (True, False, 2)


@pytest.mark.row(43)
@pytest.mark.parametrize("command", [["list"], ["show", "mine"], ["check", "mine"]])
def test_nothing_from_a_file_acts_on_the_terminal(command, own_presets):
    (own_presets / "mine.toml").write_text(BAD.replace('"\\u001b', '# \u202e\x85 [bold]\n"\\u001b'))
    shown = _on_a_terminal(["preset", *command])
    assert b"mine" in shown
    for sequence in (b"\x1b]", b"\x07", "\u202e".encode(), "\x85".encode()):
        assert sequence not in shown


def _on_a_terminal(arguments: list[str]) -> bytes:
    """Return everything that the command writes to a terminal."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    command = [sys.executable, "-m", "dbtui", *arguments]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(controller)
    process.wait(timeout=30)
    return shown


def test_no_heavy_library_is_loaded():
    code = (
        "import sys; from dbtui.cli.app import run; run(['preset', 'list']); run(['preset', 'show', 'sd15-8gb']);"
        "sys.exit(bool({'torch', 'diffusers', 'transformers', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
