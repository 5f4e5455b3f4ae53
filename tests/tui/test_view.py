import pytest
from rich.cells import cell_len

from dbtui.dashboard.plot import loss_plot
from dbtui.dashboard.state import fold
from dbtui.dashboard.view import Moment, draw

KEYS = "v preview now · s save now · p pause · x stop and save · d detach"


def picture(state, facts, width: int, height: int, **moment) -> str:
    lines = draw(state, facts, width, height, Moment(keys=KEYS, **moment))
    return "\n".join(line.plain.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 12)])
def test_training(story, facts, check_golden, width: int, height: int):
    check_golden(f"training-{width}x{height}", picture(fold(story(412)), facts, width, height))


def test_caching(story, facts, check_golden):
    check_golden("caching-80x24", picture(fold(story(0)[:4]), facts, 80, 24))


def test_nothing_yet(facts):
    shown = picture(fold([]), facts, 80, 24)
    assert "starting" in shown
    assert "the loss comes with the first steps" in shown


@pytest.mark.row(55)
@pytest.mark.parametrize("width", [1, 7, 20, 39, 40, 60, 71, 72, 80, 120, 300])
@pytest.mark.parametrize("height", [1, 5, 12, 17, 18, 24, 60])
def test_every_size_is_kept(story, facts, width: int, height: int):
    for steps in (0, 1, 2, 412):
        lines = draw(fold(story(steps)), facts, width, height, Moment(note="note " * 20, keys=KEYS))
        assert len(lines) <= height
        assert all(cell_len(line.plain) <= width for line in lines)


@pytest.mark.row(10)
def test_silence_and_endings_are_said(story, facts):
    state = fold(story(412))
    assert "no news for 5 min" in picture(state, facts, 80, 24, silence=300.0)
    ends = {0: "done", 75: "stopped at step 412", 7: "failed at step 412"}
    for code, words in ends.items():
        ended = fold([*story(412), {"kind": "failed", "exit_code": code, "text": "x", "step": 412}])
        assert words in picture(ended, facts, 80, 24, silence=300.0).splitlines()[0]


@pytest.mark.row(43, 44)
def test_hostile_text_is_shown_escaped(facts):
    prompt = "[bold]x[/nonsense] \x1b]0;owned\x07 \u202eevil \udcff 日本"
    events = [
        {"kind": "warning", "text": prompt, "t": 0.0},
        {"kind": "sample", "step": 1, "path": "s\x9b2J.png", "prompt": prompt},
        {"kind": "phase", "name": "\x1b[31m" + prompt},
    ]
    shown = picture(fold(events), facts, 120, 40)
    assert "[bold]x[/nonsense]" in shown
    assert not any(character in shown for character in "\x1b\x07\x9b\u202e\udcff")


def test_the_plot_draws_a_falling_line():
    points = [(float(step), 1.0 - step / 100) for step in range(1, 101)]
    rows = ["".join(span.text for span in row) for row in loss_plot(points, points, 40, 11)]
    assert {len(row) for row in rows[:-1]} == {40}
    columns = [min(index for index, c in enumerate(row[7:]) if c != " ") for row in rows[:-1]]
    assert columns == sorted(columns)
    assert columns[0] <= 3
    assert columns[-1] >= 25
    assert rows[-1].split() == ["0", "50", "100"]


@pytest.mark.parametrize("losses", [[0.1, 0.1, 0.1], [0.0, 0.0], [1e30, 1e-30], [-1.0, 1.0], [1e-9, 2e-9]])
def test_odd_losses_are_drawn(losses: list[float]):
    points = [(float(step), loss) for step, loss in enumerate(losses, start=1)]
    rows = loss_plot(points, points, 30, 6)
    assert len(rows) == 6
    assert any(span.role == "smooth" and span.text.strip() for row in rows for span in row)


def test_no_plot_without_points_or_room():
    points = [(1.0, 0.1), (2.0, 0.2)]
    assert loss_plot([], [], 80, 24) == []
    assert loss_plot(points[:1], points[:1], 80, 24) == []
    assert loss_plot(points, points, 11, 24) == []
    assert loss_plot(points, points, 80, 2) == []


def test_what_is_measured_is_marked_over_the_lines():
    points = [(float(step), 1.0 - step / 100) for step in range(1, 101)]
    rows = loss_plot(points, points, 40, 11, [(50.0, 0.1), (100.0, 0.9), (400.0, 0.5)])
    marked = {
        (number, sum(len(before.text) for before in row[:place]))
        for number, row in enumerate(rows)
        for place, span in enumerate(row)
        if span.role == "mark"
    }
    assert [sorted(column) for column in zip(*marked, strict=True)] == [[1, 8], [22, 39]]


def test_the_best_save_so_far_is_told(story, facts):
    def told(step, loss, drift):
        measured = {
            "kind": "validation",
            "step": step,
            "loss": loss,
            "drift": drift,
            "held_out": 0,
            "measure": "m",
        }
        return [measured, {"kind": "saved", "step": step, "path": f"{step}.safetensors"}]

    numbers = [(0, 0.2, 0.0), (100, 0.15, 0.1), (200, 0.14, 0.12), (300, 0.139, 0.4)]
    state = fold([*story(300), *(event for each in numbers for event in told(*each))])
    text = picture(state, facts, 100, 30)
    assert "◆ validation 0.139  drift 40.0%" in text
    assert "best save so far: step 200" in text
    assert "◆ validation at step 300: loss 0.1390, drift 40.0%" in text
