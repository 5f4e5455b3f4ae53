import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from trainer_core.run.directory import RunDirectory
from trainer_core.run.process import ProcessIdentity, started_at, write_process_record
from trainer_core.run.redact import redact, redact_command_line

AT_ONCE = "import time; from trainer_core.run.process import started_at; print(time.time() - started_at())"


def test_the_record_says_who_trains(run: RunDirectory):
    write_process_record(run, {"name": "RTX 3060", "vram_total_gb": 12.0})
    record = json.loads(run.process_json.read_text())
    assert record["pid"] == os.getpid()
    assert record["gpu"]["name"] == "RTX 3060"
    assert {"torch", "safetensors"} <= set(record["versions"])
    assert ProcessIdentity.from_json(run.process_json.read_text()) == ProcessIdentity.mine()


def test_secrets_of_the_command_line_stay_out(run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setattr(
        sys, "argv", ["x", "--hub-token", "quiet", "--key=0123456789abcdef", "hf_secretsecret", "ok"]
    )
    write_process_record(run)
    text = run.process_json.read_text()
    assert not any(secret in text for secret in ("quiet", "0123456789abcdef", "hf_secretsecret"))
    assert json.loads(text)["command_line"][-1] == "ok"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer hf_AbCdEfGhIjKl", "hf_AbCdEfGhIjKl"),
        ("api_key=abc123 and more", "abc123"),
        ("https://user:pass@host/x", "user:pass"),
        ("sk-abcdefghijklmnop1234", "sk-abcdefghijklmnop1234"),
        ("ghp_abcdefghijklmnop1234", "ghp_abcdefghijklmnop1234"),
    ],
)
def test_shapes_of_secrets(text: str, secret: str):
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text", ["a photo of sls frog", "text_encoder.max_token_length=225", "/runs/hf_x/keys.txt", "one token: sls"]
)
def test_ordinary_words_stay(text: str):
    assert redact(text) == text
    assert redact_command_line(["--max-tokens", text]) == ["--max-tokens", text]


def test_the_start_of_a_process_is_known_to_a_second():
    age = float(subprocess.check_output([sys.executable, "-c", AT_ONCE], text=True))
    assert 0 <= age < 5
    assert started_at() == pytest.approx(started_at(), abs=0.2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "[" * 100_000,
        '{"pid": 1e999, "start": "", "boot_id": "", "host": ""}',
        '{"pid": true, "start": "", "boot_id": "", "host": ""}',
        '{"pid": "7", "start": "", "boot_id": "", "host": ""}',
        '{"pid": 7, "start": {}, "boot_id": "", "host": ""}',
        '{"pid": 7, "start": ""}',
        '{"pid": ' + "9" * 5000 + "}",
    ],
)
def test_a_damaged_record_is_nobody(text: str):
    assert ProcessIdentity.from_json(text) is None


@pytest.mark.parametrize("pid", [10**30, -1, 0])
def test_an_impossible_process_does_not_live(pid: int):
    assert not replace(ProcessIdentity.mine(), pid=pid).is_running()
