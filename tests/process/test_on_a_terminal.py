"""`dbtui run` on a terminal: a viewer that started a trainer. Every signal is a real one."""

import json
import signal
import time

import pytest

from trainer_core.run.lock import is_alive


def steps_of(run) -> list[int]:
    events = (json.loads(line) for line in run.events.read_text().splitlines())
    return [event["step"] for event in events if event["kind"] == "step"]


def test_it_shows_the_run_to_its_end(terminal, watched, run):
    screen = terminal(watched("--steps", "60"))
    screen.wait_for("training")
    screen.wait_for("VRAM")
    assert screen.end() == 0
    assert screen.is_put_back()
    after = screen.text.rpartition("\x1b[?1049l")[2]
    assert "sls-frog-1 is done: 60 steps" in after
    assert f"{run.output}/step-000060.safetensors" in after.replace("\r\n", "")
    assert "sls frog" in after


def test_ctrl_c_saves_and_returns_the_trainers_exit_code(terminal, watched, state):
    screen = terminal(watched())
    screen.wait_for("training")
    screen.type("\x03")
    assert screen.end() == 75
    assert screen.is_put_back()
    assert state().ending.text == "stopped by SIGINT"
    assert "stopped at step" in screen.text


def test_a_second_ctrl_c_leaves_at_once(terminal, watched, run, state, wait):
    screen = terminal(watched("--saving", "8"))
    screen.wait_for("training")
    screen.type("\x03")
    screen.wait_for("Ctrl-C again")
    before = time.monotonic()
    screen.type("\x03")
    assert screen.end() == 75
    assert time.monotonic() - before < 7
    assert screen.is_put_back()
    assert is_alive(run)
    wait(lambda: state().ending, "the trainer has saved")
    assert state().ending.exit_code == 75


@pytest.mark.row(1, 2)
def test_a_lost_connection_ends_only_the_viewer(terminal, watched, run, state, wait):
    screen = terminal(watched("--steps", "400", "--delay", "0.01"))
    screen.wait_for("training")
    seen = state().step
    screen.hang_up()
    screen.process.wait(10)
    assert is_alive(run)
    wait(lambda: state().ending, "the run has ended")
    assert state().ending.exit_code == 0
    assert seen < 400
    assert steps_of(run) == list(range(1, 401))


@pytest.mark.row(8)
def test_killing_the_viewer_does_not_touch_the_run(terminal, watched, run, state, wait):
    screen = terminal(watched())
    screen.wait_for("training")
    screen.process.kill()
    screen.process.wait()
    before = state().step
    wait(lambda: state().step > before + 10, "the training goes on")
    assert is_alive(run)


@pytest.mark.row(9)
def test_sigterm_gives_the_terminal_back_and_the_run_goes_on(terminal, watched, run):
    screen = terminal(watched())
    screen.wait_for("training")
    screen.process.send_signal(signal.SIGTERM)
    assert screen.end() == 0
    assert screen.is_put_back()
    assert "dbtui attach" in screen.text
    assert is_alive(run)


def test_the_keys(terminal, watched, state, run, wait):
    screen = terminal(watched())
    screen.wait_for("training")
    screen.type("s")
    wait(lambda: state().written, "a model is saved")
    screen.type("v")
    wait(lambda: state().previews, "a preview is drawn")
    screen.type("\x1b[A\x1a?")  # an arrow, Ctrl-Z and a key without meaning change nothing
    screen.wait_for("last preview")
    screen.type("d")
    assert screen.end() == 0
    assert screen.is_put_back()
    assert is_alive(run)
    assert state().ending is None


def test_x_stops_and_saves(terminal, watched, state):
    screen = terminal(watched())
    screen.wait_for("training")
    screen.type("x")
    assert screen.end() == 75
    assert state().ending.exit_code == 75


@pytest.mark.row(55)
def test_a_storm_of_sizes(terminal, watched):
    screen = terminal(watched("--steps", "150"))
    screen.wait_for("training")
    for width, height in [(20, 5), (300, 100), (1, 1), (40, 12), (120, 40), (80, 24)] * 5:
        screen.resize(width, height)
        screen.process.send_signal(signal.SIGWINCH)
        time.sleep(0.03)
    assert screen.end() == 0
    assert screen.is_put_back()


@pytest.mark.row(55)
def test_a_dumb_terminal_gets_plain_lines(terminal, watched):
    screen = terminal(watched("--steps", "30"), term="dumb")
    assert screen.end() == 0
    assert "step 30/30 (100%)" in screen.text
    assert "\x1b" not in screen.text


def test_a_trainer_that_dies_before_it_speaks(terminal, watched):
    screen = terminal(watched("--crash", "no such model \x1b[31m"))
    assert screen.end() == 4
    assert screen.is_put_back()
    after = screen.text.rpartition("\x1b[?1049l")[2]
    assert "no such model \\x1b[31m" in after
    assert "exit code 4" in after
    assert "Traceback" not in after
