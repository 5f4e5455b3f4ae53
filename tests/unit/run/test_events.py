import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader, EventWriter


class Number:
    """Like a number of numpy or torch."""

    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


def test_the_first_line_is_the_format(run: RunDirectory, read_lines):
    writer = EventWriter(run)
    writer.emit("phase", name="load", total=None)
    writer.close()
    first, second = read_lines(run.events)
    assert (first["kind"], first["version"], first["run"]) == ("format", 1, "sls-frog-1")
    assert abs(first["started"] - time.time()) < 60
    assert {"t", "mono", "kind", "name", "total"} == set(second)
    assert run.events.stat().st_mode & 0o777 == 0o600


def test_every_line_is_strict_json(run: RunDirectory):
    writer = EventWriter(run)
    writer.emit("step", loss=float("nan"), lr=Number(float("inf")), nested=[float("-inf"), {"x": float("nan")}])
    writer.emit("sample", path=Path("/a/\udcff.png"), prompt="line\nbreak \x1b[2J", step=Number(3.5))
    writer.close()
    lines = run.events.read_bytes().splitlines()[1:]

    def refuse(word: str) -> None:
        raise AssertionError(word)

    step, sample = (json.loads(line, parse_constant=refuse) for line in lines)
    assert (step["loss"], step["lr"], step["nested"]) == (None, None, [None, {"x": None}])
    assert sample["prompt"] == "line\nbreak \x1b[2J"
    assert (sample["path"], sample["step"]) == ("/a/\udcff.png", 3.5)


@pytest.mark.row(56)
def test_a_half_line_is_not_yet(run: RunDirectory):
    reader = EventReader(run.events)
    assert reader.poll() == []
    line = b'{"kind":"step","step":1,"new_field":[1]}\n'
    for end in range(len(line)):
        run.events.write_bytes(line[:end])
        assert reader.poll() == []
    run.events.write_bytes(line + b'{"kind":')
    assert reader.poll() == [{"kind": "step", "step": 1, "new_field": [1]}]
    assert reader.poll() == []


def test_lines_that_are_no_events_are_passed_over(run: RunDirectory):
    run.events.write_bytes(b'\xff\xfe\n[1]\nnull\n\n{"kind":"alien"}\n' + b"[" * 100_000 + b'\n{"kind":"b"}\n')
    assert EventReader(run.events).poll() == [{"kind": "alien"}, {"kind": "b"}]


@pytest.mark.row(56)
def test_a_resume_cuts_the_torn_line_and_goes_on(run: RunDirectory, read_lines):
    writer = EventWriter(run)
    writer.emit("step", step=1)
    writer.close()
    with run.events.open("ab") as file:
        file.write(b'{"kind":"step","st')
    reader = EventReader(run.events)
    assert [event["kind"] for event in reader.poll()] == ["format", "step"]
    writer = EventWriter(run)
    writer.emit("resumed", from_step=1)
    writer.close()
    assert [event["kind"] for event in read_lines(run.events)] == ["format", "step", "resumed"]
    assert [event["kind"] for event in reader.poll()] == ["resumed"]


def test_a_file_of_one_torn_line_starts_over(run: RunDirectory, read_lines):
    run.events.write_bytes(b'{"kind":"for')
    EventWriter(run).close()
    assert [event["kind"] for event in read_lines(run.events)] == ["format"]


def test_nothing_is_lost_in_a_burst(run: RunDirectory, read_lines):
    writer = EventWriter(run)
    for step in range(5000):
        writer.emit("step", step=step)
    writer.close()
    assert [event.get("step") for event in read_lines(run.events)] == [None, *range(5000)]


def test_a_disk_that_does_not_answer_stops_nobody(run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd):
    answers, real = threading.Event(), os.write

    def stuck(descriptor: int, data: bytes) -> int:
        if data.startswith(b'{"t"'):
            answers.wait(30)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", stuck)
    writer = EventWriter(run)
    slowest = 0.0
    for step in range(12_000):
        before = time.monotonic()
        writer.emit("step", step=step)
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 1.0
    assert writer.lost > 0
    answers.set()
    writer.close()
    assert capfd.readouterr().err.count("warning: events are being lost") == 1


FILL_UP = """
import resource, sys
from pathlib import Path
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
writer = EventWriter(RunDirectory(Path(sys.argv[1])))
for step in range(200):
    writer.emit("step", step=step)
    writer.flush()
writer.close()
print("trained on", writer.lost > 0)
"""


@pytest.mark.row(14)
def test_a_full_disk_costs_events_but_not_the_training(run: RunDirectory, read_lines):
    done = subprocess.run(
        [sys.executable, "-c", FILL_UP, str(run.path)], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "trained on True\n"
    assert done.stderr.count("\n") == 1
    assert "the training goes on" in done.stderr
    assert 500 < run.events.stat().st_size <= 1000
    assert read_lines(run.events)[-1]["kind"] == "step"


def test_what_was_lost_is_told_once_there_is_room_again(run: RunDirectory, read_lines, monkeypatch, capfd):
    writer, real, full = EventWriter(run), os.write, threading.Event()

    def write(descriptor, data):
        if full.is_set() and b'"kind":' in bytes(data):
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    assert writer.flush()
    full.set()
    for step in range(3):
        writer.emit("step", step=step)
        assert writer.flush()
    full.clear()
    writer.emit("step", step=3)
    writer.emit("step", step=4)
    writer.close()
    told = [(line["kind"], line.get("step"), line.get("code")) for line in read_lines(run.events)]
    assert sorted(told[1:], key=str) == [("step", 3, None), ("step", 4, None), ("warning", None, "events_lost")]
    (warning,) = (line for line in read_lines(run.events) if line["kind"] == "warning")
    assert warning["text"].startswith("3 events could not be written")
    assert capfd.readouterr().err.count("events are being lost") == 1


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 256 KiB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.row(14)
def test_how_a_run_ended_is_written_although_its_disk_is_full(small_disk: Path, read_lines):
    run = RunDirectory(small_disk)
    writer = EventWriter(run)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    for step in range(200):
        writer.emit("step", step=step, text="x" * 100)
    writer.emit("failed", exit_code=6, text="the disk is full", step=200, outputs=[])
    writer.close()
    assert read_lines(run.events)[-1]["kind"] in {"failed", "warning"}
    assert [line["exit_code"] for line in read_lines(run.events) if line["kind"] == "failed"] == [6]
    assert sorted(path.name for path in small_disk.iterdir()) == ["events.jsonl", "filler"]


def test_an_unwritable_file_stops_nobody(run: RunDirectory, capfd):
    run.events.mkdir()
    writer = EventWriter(run)
    writer.emit("step", step=1)
    writer.close()
    assert writer.lost >= 2
    assert "events are being lost" in capfd.readouterr().err


@pytest.mark.row(53)
def test_secrets_stay_out(run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "a-very-own-secret")
    writer = EventWriter(run)
    writer.emit("failed", text="401 for https://me:hunter2@hub/x with a-very-own-secret and hf_abcdefghijkl")
    writer.close()
    text = run.events.read_text()
    assert "401 for https://" in text
    assert not any(secret in text for secret in ("hunter2", "a-very-own-secret", "hf_abcdefghijkl"))
