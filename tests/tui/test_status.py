import pytest
from rich.text import Text

from dbtui.dashboard.escapes import EscapeFilter
from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.state import fold
from dbtui.dashboard.status import SIGNS, STATUSES, STYLES, patience, status_of
from dbtui.dashboard.view import Moment, draw
from dbtui.dashboard.words import day_and_time
from dbtui.runs.cells import fitting


def ended(story, code: int):
    kind = "finished" if code == 0 else "failed"
    return fold([*story(412), {"kind": kind, "exit_code": code, "text": "x", "step": 412}])


@pytest.mark.row(10)
@pytest.mark.parametrize(
    ("lives", "silence", "is_suspended", "status"),
    [
        (True, 0.0, False, "running"),
        (True, 59.0, False, "running"),
        (True, 61.0, False, "stalled"),
        (True, 7 * 86400.0, False, "stalled"),
        (True, 1.0, True, "stalled"),
        (False, 1.0, False, "crashed"),
    ],
)
def test_a_training_that_says_nothing(story, lives: bool, silence: float, is_suspended: bool, status: str):
    assert status_of(fold(story(412)), lives=lives, silence=silence, is_suspended=is_suspended) == status


def test_how_long_is_long_depends_on_the_pace_and_the_phase(story):
    assert patience(fold(story(412))) == 60
    slow = [dict(event, mono=event["mono"] * 30) for event in story(390)]
    assert patience(fold(slow)) == pytest.approx(210, rel=0.01)  # ten steps of 21 seconds
    assert patience(fold(story(1))) == 300  # the first step: no pace is known
    for phase in ("load", "save", "sample", "class_images", "upload", "", "one of tomorrow"):
        assert patience(fold([{"kind": "phase", "name": phase}])) >= 300


def test_a_pause_is_never_a_stall(story):
    paused = fold([*story(412), {"kind": "phase", "name": "paused", "total": None}])
    assert status_of(paused, lives=True, silence=86400.0) == "paused"
    assert status_of(paused, lives=False) == "crashed"
    saving = fold([{"kind": "phase", "name": "save"}, {"kind": "phase", "name": "paused"}], paused)
    assert status_of(saving, lives=True) == "paused"
    goes_on = fold([{"kind": "phase", "name": "train", "total": 1600}], paused)
    assert status_of(goes_on, lives=True) == "running"
    assert paused.fraction == goes_on.fraction


def test_endings(story):
    assert status_of(ended(story, 0), lives=False) == "done"
    assert status_of(ended(story, 75), lives=False) == "stopped"
    assert status_of(ended(story, 8), lives=False) == "failed"
    assert status_of(fold([]), lives=False) == "not started"
    assert status_of(fold([]), lives=True) == "running"


def test_every_status_has_its_sign_and_colour():
    assert set(SIGNS) == set(STYLES) == set(STATUSES)


@pytest.mark.parametrize("status", ["paused", "stalled", "stopped", "failed", "crashed", "done"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 12), (20, 5)])
def test_the_picture_says_how_the_run_stands(story, facts: RunFacts, status, width: int, height: int):
    state = fold(story(412))
    lines = [line.plain for line in draw(state, facts, width, height, Moment(status, 200.0, keys="d detach"))]
    assert status[:6] in lines[0]
    shown = "\n".join(lines)
    assert ("10.1/12.0 GB" in shown) == (status == "stalled" and width >= 40 and height >= 12)


@pytest.mark.row(55)
def test_the_smallest_picture_keeps_the_state_the_step_the_loss_and_the_keys(story, facts):
    moment = Moment("stalled", 200.0, note="process 123 is suspended", keys="x stop · d detach")
    lines = [line.plain for line in draw(fold(story(412)), facts, 20, 5, moment)]
    assert len(lines) == 5
    for line, words in zip(lines, ["stalled", "412/1600", "loss 0.082", "process 123", "d detach"], strict=True):
        assert words in line


@pytest.mark.parametrize(("width", "columns"), [(200, 5), (72, 5), (60, 4), (40, 2)])
def test_a_narrow_list_of_runs_leaves_out_what_matters_least(width: int, columns: int):
    cells = [Text(word) for word in ("name", "state", "step", "loss", "when")]
    shown = [cell.plain for cell in fitting(cells, width)]
    assert len(shown) == columns
    assert shown[:2] == ["name", "state"]


@pytest.mark.parametrize(("width", "height"), [(80, 24)])
@pytest.mark.parametrize("status", ["paused", "stalled"])
def test_pictures(story, facts, check_golden, status, width: int, height: int):
    events = [*story(412)]
    if status == "paused":
        events.append({"kind": "control_ack", "t": 1_800_000_400.0, "command": "pause", "ok": True,
                       "text": "paused at step 412: 9.6 GB of its memory are free for others"})  # fmt: skip
        events.append({"kind": "phase", "name": "paused", "total": None})
    note = "process 123 is suspended; it goes on with: kill -CONT 123" if status == "stalled" else ""
    lines = draw(fold(events), facts, width, height, Moment(status, 200.0, note, "p pause · d detach"))
    check_golden(f"{status}-{width}x{height}", "\n".join(line.plain.rstrip() for line in lines) + "\n")


@pytest.mark.row(55)
@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        (["s"], "s"),
        (["\x1b[A"], ""),
        (["\x1b", "[A"], ""),
        (["\x1b[", "d"], ""),
        (["\x1bO", "p", "p"], "p"),
        (["\x1b[1;", "2", "P", "s"], "s"),
        (["s\x1b[Dv"], "sv"),
        (["\x1b]11;rgb:dada/d", "ddd/xxxx\x1b", "\\s"], "s"),
        (["\x1bP>|xterm(x)\x1b\\", "d"], "d"),
        (["\x1b_Gi=1;OK\x1b\\p"], "p"),
        (["\x1b\x1b[Ax"], "x"),
    ],
)
def test_escape_sequences_are_no_keys_however_they_come(pieces: list[str], keys: str):
    escapes = EscapeFilter()
    assert "".join(escapes.feed(piece) for piece in pieces) == keys


def test_after_a_while_an_escape_was_a_key_of_its_own():
    escapes = EscapeFilter()
    assert escapes.feed("\x1b") == ""
    escapes.rest()
    assert escapes.feed("d") == "d"


def test_days_are_told_as_people_do():
    now = 1_800_000_000.0  # Friday, 2027-01-15 08:00 UTC
    assert day_and_time(now - 3600, now) == "07:00"
    assert day_and_time(now - 86400, now) == "yesterday 08:00"
    assert day_and_time(now - 3 * 86400, now) == "Tuesday 08:00"
    assert day_and_time(now - 30 * 86400, now) == "2026-12-16"
    assert day_and_time(now + 3 * 86400, now) == "2027-01-18"
    assert day_and_time(-5.0, now) == ""
