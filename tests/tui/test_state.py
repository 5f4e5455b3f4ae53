import random
import time

import pytest

from dbtui.dashboard.curve import LossCurve
from dbtui.dashboard.state import fold


def repr_of(value: object) -> str:
    return repr(value)[:20]


def test_a_late_viewer_sees_the_same(story):
    events = story(1600)
    present, rng, index = fold([]), random.Random(1), 0
    while index < len(events):
        step = rng.randint(1, 40)
        present = fold(events[index : index + step], present)
        index += step
    assert present == fold(events)
    assert present.step == 1600


def test_what_the_events_say(story):
    state = fold(story(412))
    assert (state.run, state.phase, state.step, state.total_steps) == ("sls-frog-3", "train", 412, 1600)
    assert (state.epoch, state.epochs, state.lr, state.vram_gb, state.gpu_temp) == (1, 2, 1e-6, 10.1, 71)
    assert state.previews[-1].path == "samples/000400-0.png"
    assert (state.written[-1].kind, state.written[-1].bytes) == ("saved", 2.1e9)
    assert state.warnings == 1
    assert state.news[-1].text == "only 4 GB are free"
    assert state.fraction == pytest.approx(412 / 1600)
    assert state.smooth_loss == pytest.approx(0.105, abs=0.01)


def test_the_rest_is_reckoned_with_saves_but_without_pauses(story):
    events = story(412)
    assert fold(story(390)).eta_seconds == pytest.approx(1210 * 0.7, rel=0.01)
    assert fold(events).eta_seconds == pytest.approx(1188 * (0.7 + 12 / 412), rel=0.01)
    for event in events[300:]:
        event["mono"] += 3600  # the machine was suspended for an hour
    assert fold(events).eta_seconds == pytest.approx(1188 * (0.7 + 12 / 412), rel=0.01)
    for event in events[200:]:
        event["t"] -= 7200  # and its clock was set back
    assert fold(events).eta_seconds == pytest.approx(1188 * (0.7 + 12 / 412), rel=0.01)


def test_a_resume_drops_the_later_steps(story):
    before = fold(story(300))
    state = fold([*story(412), {"kind": "resumed", "t": 0.0, "mono": 3.0, "from_step": 300}])
    assert state.step == 300
    assert state.curve == before.curve
    assert not state.previews
    assert not state.written
    assert state.eta_seconds is None
    steps = [{"kind": "step", "step": step, "mono": step * 1.0, "loss": 0.1} for step in range(301, 320)]
    state = fold(steps, state)
    assert (state.step, state.eta_seconds) == (319, 1281.0)


def test_a_resumed_run_has_not_ended(story):
    events = [
        *story(10),
        {"kind": "finished", "exit_code": 75, "text": "stopped", "step": 10, "outputs": ["a", 1]},
    ]
    state = fold(events)
    assert state.ending
    assert (state.ending.exit_code, state.ending.outputs, state.eta_seconds) == (75, ("a", "1"), None)
    assert fold([{"kind": "phase", "name": "load"}], state).ending is None


def test_a_new_file_starts_anew(story):
    assert fold([*story(50), *story(20)]) == fold(story(20))


@pytest.mark.parametrize("value", [None, "text", True, [], {}, -1, float("inf"), 10**400, "\x1b[2J"], ids=repr_of)
@pytest.mark.parametrize(
    "kind", ["format", "phase", "step", "sample", "saved", "warning", "resumed", "failed", "x"]
)
def test_no_event_breaks_the_viewer(story, facts, kind: str, value: object):
    from dbtui.dashboard.view import draw

    fields = ("name", "total", "step", "epoch", "loss", "lr", "vram_gb", "gpu_load", "path", "prompt", "text")
    more = ("from_step", "exit_code", "outputs", "t", "mono", "run", "seconds", "bytes", "images_per_s", "version")
    state = fold([*story(30), {"kind": kind} | dict.fromkeys((*fields, *more), value), *story(40)[-5:]])
    for line in draw(state, facts, 80, 24):
        assert "\x1b" not in line.plain


def test_a_nan_is_not_drawn_but_said(story):
    state = fold([*story(30), {"kind": "step", "step": 31, "loss": None, "mono": 600.0}])
    assert (state.loss, state.step) == (None, 31)
    assert state.curve == fold(story(30)).curve


def test_a_hundred_thousand_steps_fold_fast_into_little():
    events = [
        {"kind": "step", "step": step, "mono": step * 0.5, "loss": 0.1, "lr": 1e-6} for step in range(100_000)
    ]
    started = time.perf_counter()
    state = fold(events)
    assert time.perf_counter() - started < 5
    assert len(state.curve.bins) <= 1024
    assert sum(each.count for each in state.curve.bins) == 100_000


def test_joined_bins_keep_mean_and_order():
    curve, losses = LossCurve(), [random.Random(step).random() for step in range(5000)]
    for step, loss in enumerate(losses, start=1):
        curve.add(step, loss)
    spans = [(each.first, each.last) for each in curve.bins]
    assert spans == sorted(spans)
    assert sum(each.total for each in curve.bins) == pytest.approx(sum(losses))
    curve.drop_after(2000)
    assert curve.bins[-1].last <= 2000 < curve.bins[-1].last + 2 * curve.span


def test_smoothing_is_the_corrected_exponential_average():
    curve, average = LossCurve(), 0.0
    for step in range(1, 101):
        curve.add(step, step / 100)
        average = 0.98 * average + 0.02 * step / 100
    assert curve.smooth == pytest.approx(average / (1 - 0.98**100))
