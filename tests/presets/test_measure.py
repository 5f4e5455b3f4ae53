"""What a finished run measured, from its events."""

import pytest

from dbtui.presets.measure import last_attempt, measured_by
from tests.presets.first_machine import GPU, leave_traces, make_run, write_events
from trainer_core.errors import UserError


def steps(first, last, seconds=0.5, vram_gb=8.0):
    return [
        {"kind": "step", "step": step, "mono": 10 + seconds * step, "vram_gb": vram_gb}
        for step in range(first, last + 1)
    ]


LOAD, DONE = {"kind": "phase", "name": "load"}, {"kind": "finished", "exit_code": 0}


def test_previews_and_saves_take_no_part_in_the_speed(tmp_path):
    run = make_run(tmp_path, "")
    leave_traces(run)
    measured = measured_by(run)
    assert (measured.it_per_s, measured.peak_vram_gb, measured.gpu) == (2.0, 10.13, GPU["name"])


def test_a_resume_on_another_machine_counts_alone():
    attempt = last_attempt([LOAD, *steps(1, 20, 0.5, 20.0), DONE, LOAD, *steps(15, 30, 0.25), DONE])
    assert (attempt.finished, attempt.peak_gb) == (True, 8.0)
    assert set(attempt.seconds) == {0.25}


@pytest.mark.parametrize("last", [LOAD, {"kind": "failed", "exit_code": 75}])
def test_a_run_that_went_on_is_not_done(last):
    assert not last_attempt([LOAD, *steps(1, 3), DONE, last]).finished


@pytest.mark.parametrize("garbage", [None, "x", True, -1, 1e300, 10**400, float("nan"), [1]])
def test_garbage_in_the_events_measures_nothing(garbage):
    events = [{"kind": "step", "step": garbage, "mono": garbage, "vram_gb": garbage} for _ in range(20)]
    attempt = last_attempt([LOAD, *events, DONE, {"kind": garbage}])
    assert (attempt.seconds, attempt.peak_gb) == ([], None)


@pytest.mark.parametrize(
    ("traces", "words"),
    [
        ({"gpu": None}, "trained on no GPU"),
        ({"vram_gb": None}, "trained on no GPU"),
        ({"steps": 5}, "has only 3 steps"),
    ],
)
def test_what_cannot_be_told_is_refused(traces, words, tmp_path):
    run = make_run(tmp_path, "")
    leave_traces(run, **traces)
    with pytest.raises(UserError, match=words):
        measured_by(run)


def test_a_run_without_files_is_refused(tmp_path):
    run = make_run(tmp_path, "")
    with pytest.raises(UserError, match="is not done"):
        measured_by(run)
    write_events(run, LOAD, *steps(1, 30), DONE)
    run.process_json.write_text("[1]")
    with pytest.raises(UserError, match="trained on no GPU"):
        measured_by(run)
