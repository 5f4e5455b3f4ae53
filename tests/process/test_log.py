"""`dbtui log`: events and console in one, live and past, whatever they hold."""

import json
import subprocess
import sys

import pytest

from dbtui.runs.log import LogReader
from trainer_core.narrate import NarratedEvents
from trainer_core.run.lines import encode_line
from trainer_core.run.lock import acquire

DBTUI = [sys.executable, "-m", "dbtui"]


def words(lines: list[str]) -> list[str]:
    """The lines without the time of day."""
    return [line[10:] for line in lines]


def follow(run, *options: str) -> subprocess.Popen[str]:
    command = [*DBTUI, "log", "-f", str(run.path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_log_of_a_past_run(dbtui, trainer, run):
    trainer("--steps", "20").wait(20)
    run.console_log.write_bytes(b"one\n\x1b]0;owned\x07 two \xff\n 10%|#\r 90%|###\r100%|####\nlast, unfinished")
    shown = dbtui("log", run.path)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = words(shown.stdout.splitlines())
    for line in ("caching pictures (24)", "training", "done: done", "one", "100%|####", "last, unfinished"):
        assert line in lines
    assert "\\x1b]0;owned\\x07 two" in shown.stdout
    assert any(line.startswith("step 20/20 (100%)") for line in lines)
    assert "\x1b" not in shown.stdout
    assert dbtui("log", "-f", run.path, "-n", "2").stdout == "".join(shown.stdout.splitlines(keepends=True)[-2:])


def test_raw_events(dbtui, trainer, run):
    trainer("--steps", "20").wait(20)
    with run.events.open("ab") as file:
        file.write('{"kind":"warning","text":"\u009b31m \udcff"}\n'.encode(errors="surrogatepass"))
        file.write('{"kind":"warning","text":"\u009b31m"}\nno json\n{"kind":"torn'.encode())
    shown = dbtui("log", "--json", run.path).stdout
    events = [json.loads(line) for line in shown.splitlines()]
    assert events[0]["kind"] == "format"
    assert sum(event["kind"] == "step" for event in events) == 20
    assert events[-1] == {"kind": "warning", "text": "\u009b31m"}
    assert shown.isascii()


def test_a_follower_sees_everything_to_the_end(trainer, run):
    process = trainer("--steps", "150")
    raw, plain = follow(run, "--json"), follow(run)
    told, errors = raw.communicate(timeout=60)
    assert (raw.returncode, errors) == (0, "")
    steps = [event["step"] for line in told.splitlines() if (event := json.loads(line))["kind"] == "step"]
    assert steps == list(range(1, 151))
    assert json.loads(told.splitlines()[-1])["kind"] == "finished"
    assert words(plain.communicate(timeout=60)[0].splitlines())[-1] == "done: done"
    assert process.wait(20) == 0


def test_a_reader_that_has_enough(trainer, run):
    trainer("--steps", "100000", "--delay", "0.002")
    process = follow(run, "--json")
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.row(56)
def test_half_a_line_is_not_yet_a_line(run):
    reader = LogReader(run)
    assert reader.poll() == []
    line = encode_line({"t": 1.0, "kind": "warning", "text": "the disk is slow"})
    for cut in (0, 1, len(line) - 1):
        run.events.write_bytes(line[:cut])
        run.console_log.write_bytes(b"half a"[:cut])
        assert reader.poll() == []
    run.events.write_bytes(line)
    assert words(reader.poll()) == ["warning: the disk is slow"]
    assert reader.poll() == []


def test_a_resume_that_cuts_a_torn_line(run):
    whole = encode_line({"t": 1.0, "kind": "phase", "name": "load"})
    run.events.write_bytes(whole + b'{"t":2.0,"kind":"st')
    reader = LogReader(run)
    assert words(reader.poll()) == ["loading the model"]
    with run.events.open("r+b") as file:
        file.truncate(len(whole))
        file.seek(0, 2)
        file.write(encode_line({"t": 3.0, "kind": "resumed", "from_step": 7}))
    assert words(reader.poll()) == ["resumed from step 7"]
    run.console_log.write_text("one\ntwo\n")
    assert [*reader.poll(), *reader.poll()] == [" " * 10 + "one", " " * 10 + "two"]
    run.console_log.write_text("new\n")
    assert [*reader.poll(), *reader.poll()] == [" " * 10 + "new"]


def test_the_console_does_not_repeat_the_events(run, capsys):
    """What the trainer itself prints is left out; what a library prints stands where it was printed."""
    lock, events = acquire(run), NarratedEvents(run)
    events.emit("phase", name="load", total=None)
    print("a library warns")
    events.emit("phase", name="train", total=5)
    fields = {"step": 1, "epoch": 1, "loss": 0.1, "lr": 1e-6, "images_per_s": 2.0}
    for step in range(1, 6):
        events.emit("step", **(fields | {"step": step}))
    print("Traceback (most recent call last):\n  it broke")
    events.emit("failed", exit_code=1, text="it broke\x1b", step=5, outputs=[])
    events.close()
    lock.release()
    run.console_log.write_text(capsys.readouterr().out)
    lines = words(LogReader(run).poll(is_over=True))
    assert [line.split("  ")[0] for line in lines] == [
        "loading the model",
        "a library warns",
        "training",
        "step 1/5 (20%)",
        "step 5/5 (100%)",
        "Traceback (most recent call last):",
        "",
        "failed (exit code 1): it broke\\x1b",
    ]


def test_events_that_arrive_after_their_narration(run):
    """The console may be ahead of the events by a moment; nothing is told twice for that."""
    reader = LogReader(run)
    run.console_log.write_text("phase load\nforeign\n")
    assert reader.poll() == []
    run.events.write_bytes(encode_line({"t": 1.0, "kind": "phase", "name": "load"}))
    assert words(reader.poll()) == ["loading the model", "foreign"]
    with run.events.open("ab") as file:
        file.write(encode_line({"t": 1.0, "kind": "phase", "name": "train", "total": 5}))
    assert words(reader.poll()) == ["training"]
    with run.console_log.open("a") as file:
        file.write("phase train\n")
    assert reader.poll() == []
    assert reader.poll() == []


def test_a_long_log_is_read_in_a_moment(run):
    import time

    events = [
        {"t": 1.0, "mono": step * 0.5, "kind": "step", "step": step, "epoch": 1, "loss": 0.1, "lr": 1e-6,
         "images_per_s": 1.0}
        for step in range(1, 30_001)
    ]  # fmt: skip
    run.events.write_bytes(b"".join(encode_line(event) for event in events))
    run.console_log.write_text("".join(f"a line of a library {number}\n" for number in range(30_000)))
    began = time.perf_counter()
    lines = LogReader(run).poll(is_over=True)
    assert time.perf_counter() - began < 10
    assert len(lines) > 30_000
