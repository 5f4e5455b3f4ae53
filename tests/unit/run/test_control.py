import json
import time
from pathlib import Path

import pytest

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import COMMAND_KINDS, Command, ControlReader, acknowledge, append_command
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader, EventWriter


def test_each_command_arrives_once(run: RunDirectory):
    reader = ControlReader(run)
    assert reader.poll() == []
    ids = [append_command(run, kind, speed=1) for kind in COMMAND_KINDS]
    assert reader.poll() == [
        Command(one, kind, {"speed": 1}) for one, kind in zip(ids, COMMAND_KINDS, strict=True)
    ]
    assert reader.poll() == []
    assert run.control.stat().st_mode & 0o777 == 0o600


def test_a_trainer_ignores_commands_older_than_itself(run: RunDirectory):
    append_command(run, "stop")
    assert ControlReader(run, time.time() + 1).poll() == []
    assert [command.kind for command in ControlReader(run, time.time() - 60).poll()] == ["stop"]


def test_a_command_sent_while_the_trainer_still_loads_counts(run: RunDirectory):
    append_command(run, "stop")  # after this process started, before its reader exists
    assert [command.kind for command in ControlReader(run).poll()] == ["stop"]


@pytest.mark.row(33)
@pytest.mark.parametrize("jump", [-3600.0, 10 * 365 * 86400.0])
def test_a_clock_that_was_set_loses_no_command(run: RunDirectory, monkeypatch: pytest.MonkeyPatch, jump: float):
    reader, now = ControlReader(run), time.time()
    monkeypatch.setattr(time, "time", lambda: now + jump)
    append_command(run, "save")
    assert [command.kind for command in reader.poll()] == ["save"]
    assert reader.poll() == []


def test_what_is_unknown_torn_or_double_is_ignored(run: RunDirectory):
    now = time.time() + 1
    records = [
        {"id": "1", "kind": "dance", "args": {}, "t": now},
        {"id": "2", "kind": "save", "args": {}, "t": now, "mood": "good"},
        {"id": "2", "kind": "save", "args": {}, "t": now},
        {"id": 3, "kind": "save", "args": {}, "t": now},
        {"id": "4", "kind": "save", "args": {}, "t": "now"},
        {"id": "5", "kind": ["save"], "args": {}, "t": now},
        {"id": "6", "kind": "sample", "args": [1], "t": now},
    ]
    run.control.write_text("garbage\n" + "".join(json.dumps(record) + "\n" for record in records) + '{"id":"7"')
    reader = ControlReader(run)
    assert reader.poll() == [Command("2", "save"), Command("6", "sample")]
    new = append_command(run, "stop")  # begins a line of its own after the torn one
    assert reader.poll() == [Command(new, "stop")]


def test_the_answer_names_the_command(run: RunDirectory):
    events = EventWriter(run)
    acknowledge(events, Command("abc", "save"), True, "saved")
    events.close()
    ack = EventReader(run.events).poll()[-1]
    assert {name: ack[name] for name in ("kind", "id", "command", "ok", "text")} == {
        "kind": "control_ack",
        "id": "abc",
        "command": "save",
        "ok": True,
        "text": "saved",
    }


def test_polling_is_cheap(run: RunDirectory):
    append_command(run, "save")
    reader = ControlReader(run)
    reader.poll()
    started = time.perf_counter()
    for _ in range(1000):
        reader.poll()
    assert time.perf_counter() - started < 0.2  # under 0.2 ms a step


def test_a_command_that_cannot_be_written_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"control\.jsonl") as caught:
        append_command(RunDirectory(tmp_path / "gone"), "stop")
    assert caught.value.code is ExitCode.DISK
