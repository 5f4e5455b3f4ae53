"""A command of the person's runs as it is written, and ends in time with everything that it started."""

import os
import sys
import time
from pathlib import Path

import pytest

from trainer_core.hooks import command
from trainer_core.hooks.command import CommandError, run_command
from trainer_core.run.process import pid_exists
from trainer_core.run.stop_signals import StopRequestedError


def test_words_reach_the_program_as_they_are(tmp_path):
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['X'], os.getcwd()]))"
    words = [sys.executable, "-c", code, "$HOME", "a b; touch canary", "*"]
    said = run_command(words, {"X": "ä"}, tmp_path, 1, capture=True)
    assert said == f'[["$HOME", "a b; touch canary", "*"], "\\u00e4", "{tmp_path}"]\n'
    assert list(tmp_path.iterdir()) == []


def test_its_output_is_told_without_secrets_and_without_escapes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "correct horse battery")
    run_command(["sh", "-c", "echo $MY_TOKEN; printf '\\033[31mred\\n' >&2; echo done"], {}, tmp_path, 1)
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(["sh: [hidden]", "sh: \\x1b[31mred", "sh: done"])


def test_how_it_failed_is_said(tmp_path):
    for words, said in (
        (["sh", "-c", "exit 3"], "sh ended with exit code 3"),
        (["sh", "-c", "kill -9 $$"], "sh ended with signal SIGKILL"),
        (["/no/such/program"], "program cannot be started"),
        ([str(tmp_path)], "cannot be started"),
    ):
        with pytest.raises(CommandError, match=said):
            run_command(words, {}, tmp_path, 1)


def test_a_command_that_takes_too_long_ends_with_what_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_GRACE", 0.5)
    words = ["sh", "-c", "sleep 300 & echo $! > child; trap '' TERM; echo $$ > self; wait; wait; sleep 300"]
    started = time.monotonic()
    with pytest.raises(CommandError, match=r"took longer than 0\.02 minutes and was ended"):
        run_command(words, {}, tmp_path, 0.02)
    assert time.monotonic() - started < 30
    for name in ("child", "self"):
        assert gone(int((tmp_path / name).read_text()))


def test_a_stop_ends_it(tmp_path):
    with pytest.raises(StopRequestedError):
        run_command(
            ["sh", "-c", "echo $$ > new; mv new self; sleep 300"],
            {},
            tmp_path,
            1,
            should_stop=(tmp_path / "self").exists,
        )
    assert gone(int((tmp_path / "self").read_text()))


def test_much_output_neither_hangs_nor_fills_the_log(tmp_path, capsys):
    run_command([sys.executable, "-c", "print(('x' * 9000 + '\\n') * 5000, end='')"], {}, tmp_path, 1)
    assert len(capsys.readouterr().out) < 10**7


def test_what_goes_on_in_the_background_is_not_waited_for(tmp_path):
    started = time.monotonic()
    run_command(["sh", "-c", "(trap '' HUP; exec sleep 20) & echo $! > child"], {}, tmp_path, 1)
    assert time.monotonic() - started < 15
    os.kill(int((tmp_path / "child").read_text()), 9)


def gone(pid):
    deadline = time.monotonic() + 20
    while pid and pid_exists(pid) and not is_zombie(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
