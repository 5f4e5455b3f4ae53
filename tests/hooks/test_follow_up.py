"""What follows an end, and in which order; nothing that stops the machine runs before the model is safe."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from trainer_core.errors import ExitCode
from trainer_core.hooks.follow_up import followed_up
from trainer_core.hooks.upload import upload_result
from trainer_core.hooks.witness import UPLOAD_FAILED, Witness
from trainer_core.run.events import EventReader, EventWriter
from trainer_core.run.stop_signals import StopRequestedError, never

ALL = """
[on_finish]
command = ["sh", "-c", "echo finish >> said; env > environment"]
[on_failure]
command = ["sh", "-c", "echo failure >> said; env > environment"]
[on_stop]
command = ["sh", "-c", "echo stop >> said"]
[after_upload]
command = ["sh", "-c", "echo machine-off >> said"]
"""


@pytest.fixture
def end(run):
    """End a run as the trainer does, its model uploaded as configured; return what ran, in its order."""

    def end(code=ExitCode.DONE, text="trained 3 steps", stop=never):
        events = EventWriter(run)
        run.output.mkdir(exist_ok=True)
        models = [run.output / "last.safetensors", run.output / "last.yaml"]
        for model in models:
            model.write_bytes(model.name.encode() * 1000)
        concluded = []
        with followed_up(run, events, concluded.append):
            events.emit("phase", name="load", total=None)
            events.emit("step", step=3, epoch=1, loss=0.25, lr=1e-6)
            paths = models if code is ExitCode.DONE else []
            if paths:
                text += upload_result(run, paths, 3, events, stop)
            kind = "finished" if code is ExitCode.DONE else "failed"
            events.emit(kind, exit_code=int(code), text=text, step=None, outputs=[str(path) for path in paths])
        events.close()
        assert concluded == [code]
        assert "</html>" in run.report.read_text()
        said = run.path / "said"
        return said.read_text().split() if said.exists() else []

    return end


@pytest.fixture
def events(run):
    return lambda kind: [event for event in EventReader(run.events).poll() if event["kind"] == kind]


def uploading(target, verify):
    copy = f'cp "$DBTUI_OUTPUT_DIR"/* {shlex.quote(str(target))} && echo copied >> said'
    tables = f"[upload]\ncommand = {json.dumps(['sh', '-c', copy])}\n"
    return tables + (f"verify = {json.dumps(['sh', '-c', verify])}\n" if verify else "")


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "far away"
    folder.mkdir()
    return folder


def sums_of(target):
    return f"cd {shlex.quote(str(target))} && sha256sum *"


def test_a_verified_upload_comes_before_everything_else(end, configuration, target, events, run):
    configuration(ALL + uploading(target, sums_of(target)))
    assert end() == ["copied", "finish", "machine-off"]
    (uploaded,) = events("uploaded")
    assert (uploaded["verified"], uploaded["files"], uploaded["bytes"]) == (True, 2, 25000)
    assert [event["name"] for event in events("hook")] == ["on_finish.command", "after_upload.command"]
    order = [event["kind"] for event in EventReader(run.events).poll()]
    assert order.index("uploaded") < order.index("finished") < order.index("hook")
    assert events("finished")[0]["text"] == "trained 3 steps; uploaded and verified"


def test_a_command_is_told_how_it_ended(end, configuration, run):
    configuration(ALL)
    end()
    lines = (run.path / "environment").read_text().splitlines()
    told = dict(line.partition("=")[::2] for line in lines if "=" in line)
    assert told["DBTUI_RUN"] == "sls-frog-1"
    assert told["DBTUI_RUN_DIR"] == str(run.path)
    assert (told["DBTUI_STATE"], told["DBTUI_EXIT_CODE"], told["DBTUI_STEP"]) == ("done", "0", "3")
    assert (told["DBTUI_LOSS"], told["DBTUI_TEXT"]) == ("0.25", "trained 3 steps")
    assert told["DBTUI_OUTPUTS"] == str(run.output / "last.safetensors")
    assert (told["DBTUI_OUTPUT_DIR"], told["DBTUI_HOOK"]) == (str(run.output), "on_finish")
    assert str(run.output / "last.yaml") in lines  # the second line of DBTUI_OUTPUTS


@pytest.mark.parametrize(
    ("verify", "why"),
    [
        (
            "cd {target} && printf x >> last.safetensors && sha256sum *",
            "that of last.safetensors is not among them",
        ),
        ("cd {target} && rm last.yaml && sha256sum *", "that of last.yaml is not among them"),
        ("echo nothing here", "told no SHA-256 sum"),
        ("exit 1", "sh ended with exit code 1"),
    ],
)
def test_what_did_not_arrive_whole_is_a_failure_and_stops_no_machine(
    end, configuration, target, events, run, verify, why
):
    configuration(ALL + uploading(target, verify.replace("{target}", shlex.quote(str(target)))))
    assert end() == ["copied", "failure"]
    first, second = (event["text"] for event in events("warning"))
    assert why in first
    assert str(run.output / "last.safetensors") in first
    assert second == "after_upload was not run: the upload failed or did not verify"
    assert events("uploaded") == []
    assert events("finished")[0]["exit_code"] == 0  # the training is done all the same
    assert "DBTUI_UPLOAD=failed" in (run.path / "environment").read_text()


def test_an_upload_that_fails_is_a_failure(end, configuration, target, events):
    target.rmdir()
    configuration(ALL + uploading(target, sums_of(target)))
    assert end() == ["failure"]
    assert "sh ended with exit code 1" in events("warning")[0]["text"]


def test_what_nobody_verified_stops_no_machine(end, configuration, target, events):
    configuration(ALL.partition("[after_upload]")[0] + uploading(target, None))
    assert end() == ["copied", "finish"]
    assert events("uploaded")[0]["verified"] is False
    assert events("finished")[0]["text"].endswith("not verified (no upload.verify)")


def test_without_an_upload_nothing_that_waits_for_it_runs(end, configuration, events):
    configuration(ALL)
    assert end() == ["finish"]
    assert events("warning")[0]["text"] == "after_upload was not run: nothing was uploaded"


HUB = {"kind": "uploaded", "by": "hub", "verified": True, "step": 9}
HUB_FAILED = {"kind": "warning", "code": UPLOAD_FAILED, "text": "the Hub answered 500"}
COMMAND = {"kind": "uploaded", "by": "command", "verified": True}
NOT_VERIFIED = {"kind": "uploaded", "by": "command", "verified": False}


@pytest.mark.parametrize(
    ("uploads", "state"),
    [
        ([], "none"),
        ([HUB], "verified"),
        ([HUB, COMMAND], "verified"),
        ([HUB_FAILED, COMMAND], "failed"),
        ([HUB, HUB_FAILED], "failed"),
        ([HUB, NOT_VERIFIED], "unverified"),
        ([NOT_VERIFIED, HUB_FAILED], "failed"),
        ([{"kind": "uploaded"}], "unverified"),
    ],
)
def test_the_worst_of_all_uploads_counts(run, uploads, state):
    witness = Witness()
    for event in (*uploads, {"kind": "finished", "exit_code": 0, "text": "", "outputs": []}):
        witness.see(event)
    outcome = witness.outcome(run)
    assert (outcome.upload, outcome.step) == (state, 9 if uploads and uploads[0] is HUB else 0)


def test_without_an_end_nothing_follows(run):
    witness = Witness()
    witness.see(HUB)
    assert witness.outcome(run) is None


def test_a_configuration_that_broke_meanwhile_runs_nothing(end, configuration, events):
    configuration("[on_finish]\ncomand = ['touch', 'said']\n")
    assert end() == []
    upload, hooks = (event["text"] for event in events("warning"))
    assert upload.startswith("the upload failed (")
    assert "on_finish.comand is not a setting" in hooks


@pytest.mark.parametrize(
    ("code", "said"),
    [(ExitCode.STOPPED, ["stop"]), (ExitCode.DISK, ["failure"]), (ExitCode.NON_FINITE, ["failure"])],
)
def test_each_end_has_its_hook(end, configuration, target, code, said):
    configuration(ALL + uploading(target, sums_of(target)))
    assert end(code) == said


def test_a_hook_that_fails_is_a_warning(end, configuration, target, events):
    broken = ALL.replace("echo finish >> said", "exit 7")
    configuration(broken + uploading(target, sums_of(target)))
    assert end() == ["copied", "machine-off"]
    assert "on_finish.command failed: sh ended with exit code 7" in events("warning")[0]["text"]


def test_a_stop_ends_the_upload(end, configuration, run, tmp_path):
    waiting = ["sh", "-c", "echo begun > begun; exec sleep 300"]
    configuration(f"[upload]\ncommand = {json.dumps(waiting)}\n")
    with pytest.raises(StopRequestedError):
        end(stop=(run.path / "begun").exists)


def test_a_long_upload_is_heard_of(end, configuration, events, monkeypatch):
    monkeypatch.setattr("trainer_core.hooks.upload._TELL_EVERY", 0.2)
    configuration('[upload]\ncommand = ["sleep", "1"]\n')
    end()
    assert [event["text"] for event in events("progress")][:2] == ["uploading for 0 min"] * 2


def test_a_webhook_is_told_everything_but_places_and_secrets(end, configuration, webhook, monkeypatch, run):
    monkeypatch.setenv("MY_TOKEN", "correct horse battery")
    configuration(f'[on_failure]\nwebhook = "{webhook.url}"\n')
    end(ExitCode.DISK, text=f"{run.path}/output is full, correct horse battery\nfree /home/me/x")
    ((_, _, message),) = webhook.received
    assert message == {
        "hook": "on_failure",
        "run": "sls-frog-1",
        "state": "failed",
        "exit_code": 6,
        "step": 3,
        "loss": 0.25,
        "upload": "none",
        "outputs": [],
        "text": "sls-frog-1 failed at step 3: output is full, [hidden]; free …/x",
        "content": "sls-frog-1 failed at step 3: output is full, [hidden]; free …/x",
    }


def test_a_webhook_that_fails_is_a_warning_without_its_address(end, configuration, webhook, events):
    webhook.answers = [404]
    configuration(f'[on_finish]\nwebhook = "{webhook.url}"\n')
    end()
    assert events("warning")[0]["text"] == "on_finish.webhook failed: 127.0.0.1 answered 404"


def test_the_sums_of_a_folder_are_compared_file_by_file(run, configuration, target, events):
    folder = run.output / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "w.safetensors").write_bytes(b"w")
    (folder / "model_index.json").write_text("{}")
    sums = [hashlib.sha256(data).hexdigest() for data in (b"w", b"{}")]
    for told, verified in ((sums, True), (sums[:1], False)):
        verify = ["echo", " ".join(told).upper()]
        configuration(f"[upload]\ncommand = ['true']\nverify = {json.dumps(verify)}\n")
        writer = EventWriter(run)
        text = upload_result(run, [folder], 3, writer, never)
        writer.close()
        assert text == ("; uploaded and verified" if verified else "; the upload failed")


def test_no_page_is_worth_a_training(end, configuration, events, run, monkeypatch):
    def fail(*_):
        raise RuntimeError("no page today")

    monkeypatch.setattr("trainer_core.report.write.page", fail)
    run.report.write_text("</html>")
    configuration(ALL)
    assert end() == ["finish"]
    assert "report.html could not be written (RuntimeError: no page today)" in events("warning")[0]["text"]
    assert os.environ.get("DBTUI_HOOK") is None


END = """
import sys
from pathlib import Path
from trainer_core.hooks.follow_up import followed_up
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopSignals

run, signals = RunDirectory(Path(sys.argv[1])), StopSignals()
events = EventWriter(run)
with followed_up(run, events, signals.concluded):
    events.emit("finished", exit_code=0, text="trained 3 steps", step=None, outputs=[])
events.close()
print("followed up")
"""


def test_signals_meanwhile_do_not_change_how_it_ended(configuration, run):
    begun, go_on = run.path / "begun", run.path / "go on"
    script = f'echo $$ > new; mv new begun; until [ -e "{go_on}" ] || [ ! -d "{run.path}" ]; do sleep 0.05; done'
    configuration(f"[on_finish]\ncommand = {json.dumps(['sh', '-c', script])}\n")
    for signals, said in ((1, b"followed up\n"), (2, b"")):
        process = subprocess.Popen([sys.executable, "-c", END, str(run.path)], stdout=subprocess.PIPE)
        wait_for(begun)
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)  # two that come together are one
        if signals == 1:
            assert process.poll() is None
            go_on.touch()
        output = process.communicate(timeout=60)[0]
        assert (process.returncode, output.endswith(said)) == (0, True)
        assert signals == 1 or b"followed up" not in output
        go_on.touch()  # ends the command in any case
        for path in (begun, go_on) if signals == 1 else (begun,):
            path.unlink()


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
