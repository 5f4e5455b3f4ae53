"""Which saved model is suggested, from the events of a run."""

import pytest

from trainer_core.run.directory import RunDirectory
from trainer_core.suggestion import Course, steps_measured, suggest, there


def course_of(numbers, *, held_out=0, saved=None, begin=(1.0, 0.0)):
    """Fold a run that saved and measured each (loss, drift) at 100, 200, ... steps."""
    course = Course()
    events = [measured(0, *begin, held_out)]
    for step, (loss, drift) in enumerate(numbers, 1):
        if saved is None or 100 * step in saved:
            events.append({"kind": "saved", "step": 100 * step, "path": f"{100 * step}.safetensors"})
        events.append(measured(100 * step, loss, drift, held_out))
    for event in events:
        course.see(event)
    return course


def measured(step, loss, drift, held_out=0, measure="m"):
    named = {"step": step, "loss": loss, "drift": drift, "held_out": held_out, "measure": measure}
    return {"kind": "validation", **named}


OVERTRAINED = [(0.8, 0.02), (0.6, 0.05), (0.52, 0.08), (0.5, 0.2), (0.49, 0.4)]


@pytest.mark.parametrize(
    ("numbers", "held_out", "step", "words"),
    [
        pytest.param(OVERTRAINED, 0, 300, "fallen by 92%", id="learned by heart"),
        pytest.param([(0.8, 0.05), (0.6, 0.05), (0.5, 0.05)], 0, 300, "still fell", id="not done yet"),
        pytest.param([(0.6, 0.050), (0.5, 0.051), (0.49, 0.052)], 0, 300, "lowest here", id="hardly any drift"),
        pytest.param(
            [(0.5, 0.30), (0.1, 0.31), (0.05, 0.32)], 0, 300, "lowest here", id="halving counts anywhere"
        ),
        pytest.param([(0.9, 0.01), (0.7, 0.2), (0.6, 0.3)], 0, 200, "fallen by 70%", id="not enough yet"),
        pytest.param([(0.7, 0.1), (0.5, 0.12), (0.6, 0.3)], 3, 200, "have not seen", id="held-out ones get worse"),
        pytest.param([(0.7, None), (0.5, None), (0.49, None)], 0, 200, "later ones fit", id="no class"),
        pytest.param(
            [(0.7, None), (0.5, None), (0.6, None)], 1, 200, "held-out picture ", id="held out, no class"
        ),
        pytest.param([(1.3, 0.5), (1.1, 0.7), (1.2, 0.9)], 0, 200, "nowhere below", id="it learned nothing"),
    ],
)
def test_the_rule(numbers, held_out, step, words):
    found = suggest(course_of(numbers, held_out=held_out))
    assert (found.step, found.path, found.is_measured) == (step, f"{step}.safetensors", True)
    assert words in found.reason


def test_the_reason_tells_what_later_ones_do():
    reason = suggest(course_of(OVERTRAINED)).reason
    assert "moved by 8.0%" in reason
    assert "off by 40.0% at step 500" in reason


def test_without_evidence_it_says_so():
    one = suggest(course_of([(0.5, 0.1)]))
    assert (one.step, one.is_measured) == (100, False)
    assert "only one model was saved" in one.reason
    course = Course()
    assert suggest(course) is None
    for step in (1, 2):
        course.see({"kind": "saved", "step": step, "path": str(step)})
    assert not suggest(course).is_measured
    assert "nothing was measured" in suggest(course).reason


def test_only_saved_models_count():
    assert suggest(course_of(OVERTRAINED, saved=[100, 500])).step == 500


def test_a_model_that_is_gone_is_not_suggested():
    found = suggest(course_of(OVERTRAINED), lambda path: path in {"400.safetensors", "500.safetensors"})
    assert found.step == 400
    assert "step 300 would have been better" in found.reason
    assert suggest(course_of(OVERTRAINED), lambda path: False).step == 300  # of a run that lies elsewhere


def test_a_resume_takes_back_what_came_later():
    course = course_of(OVERTRAINED)
    course.see({"kind": "resumed", "from_step": 200})
    assert sorted(course.saved) == [100, 200]
    assert course.last.step == 200
    assert suggest(course).step == 200


def test_numbers_of_another_measure_are_not_compared():
    course = course_of(OVERTRAINED)
    course.see({"kind": "saved", "step": 600, "path": "600"})
    course.see(measured(600, 2.0, 0.5, measure="other"))
    assert [each.step for each in course.comparable] == [600]
    assert not suggest(course).is_measured
    events = [measured(0, 1.0, 0.0), measured(5, 1.0, 0.0, measure="other"), measured(9, 1.0, 0.0)]
    assert steps_measured(events, "m", 8) == {0}


@pytest.mark.parametrize("value", [None, "x", float("nan"), 1e300, True, [], {}])
def test_garbage_changes_nothing(value):
    course = Course()
    for kind in ("validation", "saved", "resumed", value):
        course.see({"kind": kind, "step": value, "from_step": value, "loss": value})
        course.see({"kind": kind, "step": 3, "loss": value, "path": 5})
    assert course.measured == {}
    assert suggest(course) is None


def test_a_model_is_found_where_the_run_was_brought_to(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.output.mkdir(parents=True)
    (run.output / "a.safetensors").touch()
    assert there(run)("/elsewhere/run/output/a.safetensors")
    assert not there(run)("/elsewhere/run/output/b.safetensors")
