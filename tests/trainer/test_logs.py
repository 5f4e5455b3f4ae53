"""TensorBoard and Weights & Biases logs, written by the libraries themselves and read back."""

import json
import struct
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from PIL import Image

from trainer_core.config.schema import Config, Log
from trainer_core.errors import ExitCode
from trainer_core.logs.follower import STOPPED_SECONDS, LogFollower, a_log_hangs, end_logs
from trainer_core.logs.place import log_place
from trainer_core.logs.start import follow_run
from trainer_core.logs.wandb_log import shared_settings
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader, EventWriter
from trainer_core.run.stop_signals import never

PIXEL = (200, 10, 20)


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "sls-frog-1")
    run.samples.mkdir(parents=True)
    return run


def emit_steps(run, events, first, last):
    for step in range(first, last + 1):
        numbers = {"loss": 1 / step, "lr": 1e-4 * step, "grad_norm": 2.0, "images_per_s": 3.5, "vram_gb": None}
        events.emit("step", step=step, epoch=1, lr_text_encoder=1e-5, gpu_load=50, **numbers)
    path = run.samples / f"{last:06d}-0.png"
    Image.new("RGB", (64, 64), PIXEL).save(path)
    events.emit("sample", step=last, path=str(path.relative_to(run.path)), prompt="sls frog", seed=1)


def follow(run, config, first, last):
    """Log steps as a trainer's process does that begins after `first` - 1 steps; return its warnings."""
    events = EventWriter(run)
    followers = follow_run(config, run, events, first - 1)
    emit_steps(run, events, first, last)
    end_logs(followers, never)
    events.close()
    return [event["text"] for event in EventReader(run.events).poll() if event["kind"] == "warning"]


def tensorboard_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_tensorboard_shows_numbers_and_previews_also_after_a_resume(run):
    config = Config.model_validate({"log": {"tensorboard": True, "prefix": "frog-"}})
    assert follow(run, config, 1, 4) == []
    (folder,) = (run.path / "logs").iterdir()
    assert folder.name.startswith("frog-20")
    assert follow(run, config, 3, 6) == []  # from the checkpoint of step 2
    assert list((run.path / "logs").iterdir()) == [folder]
    found = tensorboard_of(folder)
    losses = {event.step: event.value for event in found.Scalars("loss")}
    assert losses == pytest.approx({step: 1 / step for step in range(1, 7)})
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 7))
    rates = {event.step: event.value for event in found.Scalars("lr")}
    assert rates == pytest.approx({step: 1e-4 * step for step in range(1, 7)})
    assert set(found.Tags()["scalars"]) == {"loss", "lr", "lr_text_encoder", "grad_norm", "images_per_s"}
    pictures = found.Images("samples/0")
    assert [(picture.step, picture.width, picture.height) for picture in pictures] == [(6, 64, 64)]


def test_wandb_offline_holds_numbers_and_previews_and_nothing_of_this_machine(run, monkeypatch, tmp_path):
    import socket

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef" * 3)
    tables = {
        "model": {"base": str(tmp_path / "base.safetensors")},
        "dataset": {"train_dir": str(tmp_path / "pictures"), "caption_prefix": "/home/someone/pictures"},
        "concept": [],
        "log": {"wandb": True, "wandb_project": "frogs", "dir": str(tmp_path / "logs")},
    }
    assert follow(run, Config.model_validate(tables), 1, 3) == []
    (folder,) = (tmp_path / "logs").iterdir()
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    assert list(file.parent.glob("files/media/images/samples/*.png"))
    history = history_of(file)
    deadline = time.monotonic() + 30  # its service is a process of its own, which may still be writing
    while len(history) < 4 and time.monotonic() < deadline:
        time.sleep(0.2)
        history = history_of(file)
    assert [values["loss"] for values in history if "loss" in values] == pytest.approx([1, 1 / 2, 1 / 3])
    assert [values["step"] for values in history] == [1, 2, 3, 3]
    assert history[-1]["samples/0/caption"] == "sls frog"
    content = file.read_bytes()
    assert b"frogs" in content
    assert b"sls-frog-1" in content
    assert b"optimizer.learning_rate" in content
    private = [str(tmp_path), "/home/someone", "0123456789abcdef", socket.gethostname() + '"', "caption_prefix"]
    assert [word for word in private if word.encode() in content] == []


def records_of(content):
    """Yield the records of a .wandb file: LevelDB log format, blocks of 32 KiB with parts of records."""
    position, whole = 7, b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
        _, length, kind = struct.unpack_from("<IHB", content, position)
        whole += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in {1, 4}:  # the whole record, or its last part
            yield whole
            whole = b""


def history_of(file):
    """Return the rows logged, as dictionaries."""
    from wandb.proto import wandb_internal_pb2

    rows = []
    for data in records_of(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = {"/".join(item.nested_key) or item.key: item for item in record.history.item}
            rows.append({name: json.loads(item.value_json) for name, item in items.items() if name[0] != "_"})
    return rows


def test_a_resume_goes_on_with_the_same_name_and_id(run, tmp_path):
    first = log_place(run, Log())
    assert log_place(run, Log()) == first
    elsewhere = log_place(run, Log(dir=str(tmp_path / "logs"), tensorboard=True))
    assert (elsewhere.folder, elsewhere.id) == (tmp_path / "logs" / first.folder.name, first.id)
    renamed = log_place(run, Log(prefix="b-", tensorboard=True))
    assert renamed.folder.name.startswith("b-20")
    assert renamed.id != first.id


def test_runs_that_begin_in_the_same_second_have_logs_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "20260102030405")
    runs = [RunDirectory(tmp_path / name) for name in "abc"]
    for run in runs:
        run.path.mkdir()
    log = Log(dir=str(tmp_path / "logs"), tensorboard=True)
    names = [log_place(run, log).folder.name for run in runs]
    assert names == ["20260102030405", "20260102030405-2", "20260102030405-3"]
    assert [log_place(run, log).folder.name for run in runs] == names


class Broken:
    """A log that fails at its second number, and a picture that it does not get to see."""

    def __init__(self):
        self.seen = []

    def write_numbers(self, step, numbers):
        self.seen.append(step)
        if step == 2:
            raise OSError("no space left")

    def close(self):
        raise OSError("no space left")


def test_what_fails_becomes_one_warning_and_the_others_go_on(run):
    def cannot_open():
        raise RuntimeError("no server\x1b[2J")

    broken, healthy = Broken(), SimpleNamespace(seen=[], close=lambda: None, write_picture=lambda *more: None)
    healthy.write_numbers = lambda step, numbers: healthy.seen.append(step)
    events = EventWriter(run)
    openers = {"A": cannot_open, "B": lambda: broken, "C": lambda: healthy}
    followers = [LogFollower(name, opener, run, events) for name, opener in openers.items()]
    emit_steps(run, events, 1, 4)
    end_logs(followers, never)
    assert not a_log_hangs()
    emit_steps(run, events, 5, 5)  # nobody follows any more
    events.close()
    told = [event["text"] for event in EventReader(run.events).poll() if event["kind"] == "warning"]
    assert sorted(told) == [
        "the log for A is given up (RuntimeError: no server\\x1b[2J)",
        "the log for B is given up (OSError: no space left)",
    ]
    assert broken.seen == [1, 2]
    assert healthy.seen == [1, 2, 3, 4]


def test_a_log_that_hangs_does_not_stop_the_training(run, monkeypatch):
    monkeypatch.setattr("trainer_core.logs.follower.MOST_WAITING", 100)
    release = threading.Event()
    events = EventWriter(run)
    follower = LogFollower("A", lambda: release.wait(60), run, events)
    started = time.monotonic()
    emit_steps(run, events, 1, 300)
    began = time.monotonic()
    end_logs([follower], lambda: time.monotonic() > began + 0.2)
    assert time.monotonic() < began + 2.5 * STOPPED_SECONDS  # not the two minutes of a run that is done
    assert time.monotonic() - started < 10
    assert a_log_hangs()
    events.close()
    release.set()
    end_logs([follower], never)
    told = [event["text"] for event in EventReader(run.events).poll() if event["kind"] == "warning"]
    assert len(told) == 2
    assert "cannot keep up" in told[0]
    assert "the log for A did not end in time" in told[1]


def test_settings_that_leave_the_machine_hold_no_binding_subject_or_secret():
    tables = {
        "hub": {"push": True, "repo_id": "owner/name"},
        "concept": [{"identifier": "sls", "class": "frog", "instance_dir": "/pictures"}],
        "sample": {"prompts": [{"prompt": "sls frog"}]},
        "dataset": {"caption_prefix": "hf_" + "a" * 30, "caption_suffix": "on a leaf"},
    }
    shared = shared_settings(Config.model_validate(tables))
    assert shared["optimizer.learning_rate"] == 1e-6
    assert shared["dataset.caption_suffix"] == "on a leaf"
    text = str(shared)
    for private in ("owner", "sls", "/pictures", "hf_"):
        assert private not in text


def test_a_log_that_hangs_does_not_keep_the_process(tmp_path):
    code = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), name="log: A").start()  # as a library's own thread might
from trainer_core.main import main
main(["nowhere.toml"])
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=40, check=False)
    assert ended.returncode == ExitCode.CONFIG
    assert "nowhere.toml" in ended.stderr
