"""`dbtui` without a command, on a real terminal: how it opens, and that it leaves the terminal as it was."""

import os
import signal
import subprocess
import sys
import termios
import time

import pytest

DBTUI = ["-m", "dbtui"]


@pytest.fixture
def app(terminal, tmp_path, monkeypatch):
    """Open the application on a terminal; `program` replaces `-m dbtui`."""
    monkeypatch.setenv("DBTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("TMUX", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)

    def opened(*options, program=DBTUI, **how):
        screen = terminal([sys.executable, *program, "--runs-dir", str(tmp_path / "runs"), *options], **how)
        if program is not ANSWERING_PROGRAM:
            screen.wait_for("new run")
        return screen

    return opened


def is_put_back(screen) -> bool:
    """Tell whether the terminal has its modes back, and reports neither the mouse nor pastes any more."""
    text = screen.text
    modes = ("1000", "1003", "1006", "2004", "1004")
    is_quiet = all(text.rfind(f"\x1b[?{mode}l") >= text.rfind(f"\x1b[?{mode}h") for mode in modes)
    flags = termios.tcgetattr(screen.master)[3]
    return is_quiet and screen.is_put_back() and bool(flags & termios.ISIG)


def test_ctrl_c_says_how_to_leave_and_q_leaves(app):
    screen = app()
    screen.type("\x03")
    screen.wait_for("ctrl+q quits")
    screen.type("q")
    assert screen.end() == 0
    assert is_put_back(screen)


def test_the_mouse_is_left_to_the_terminal(app):
    screen = app("--no-mouse", "--images=off")
    assert "\x1b[?1000h" not in screen.text
    screen.type("\x11")
    assert screen.end() == 0


@pytest.mark.row(9)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_terminal_back(app, number):
    screen = app()
    screen.process.send_signal(number)
    assert screen.end() == 0
    assert is_put_back(screen)
    assert "error" not in screen.text.rpartition("\x1b[?1049l")[2]


ANSWERING = """
import os, signal
from dbtui.wizard.app import WizardApp
def answer(self):
    self.draft.set("model.base", "nobody/nothing")
    self.draft_changed()
    os.kill(os.getpid(), signal.SIGHUP)
WizardApp.on_ready = answer
import dbtui.__main__
dbtui.__main__.main()
"""
ANSWERING_PROGRAM = ["-c", ANSWERING]


def test_what_was_answered_a_moment_ago_is_kept(app, tmp_path):
    screen = app(program=ANSWERING_PROGRAM)
    assert screen.end() == 0
    assert is_put_back(screen)
    (kept,) = (tmp_path / "state" / "drafts").glob("*.json")
    assert "nobody/nothing" in kept.read_text()


@pytest.mark.row(1)
def test_a_lost_connection(app, wait):
    screen = app()
    screen.hang_up()
    screen.process.wait(20)
    assert screen.process.returncode == 0


def test_to_the_shell_and_back(app, wait):
    screen = app()

    def state() -> str:
        words = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(screen.process.pid)], capture_output=True, text=True
        )
        return words.stdout.strip()

    screen.type("\x1a")
    wait(lambda: state().startswith("T"), "it is suspended")
    assert is_put_back(screen)
    seen = len(screen.text)
    os.kill(screen.process.pid, signal.SIGCONT)
    wait(lambda: "new run" in screen.text[seen:], "it is drawn again")
    screen.type("q")
    assert screen.end() == 0


CRASH = """
import sys
from dbtui.wizard.screens.home import HomeScreen
def action_crash(self):
    secret = "my-own-folder"
    raise ValueError("no such luck")
HomeScreen.action_crash = action_crash
HomeScreen.BINDINGS = [*HomeScreen.BINDINGS, ("ctrl+y", "crash", "crash")]
HomeScreen._merged_bindings = HomeScreen._merge_bindings()
import dbtui.__main__
dbtui.__main__.main()
"""


def test_a_crash_is_one_message_and_a_file(app, tmp_path):
    screen = app(program=["-c", CRASH])
    screen.type("\x19")
    assert screen.end() == 1
    assert is_put_back(screen)
    after = screen.text.rpartition("\x1b[?1049l")[2]
    assert "unexpected failure (ValueError: no such luck)" in after
    assert "Traceback" not in after
    assert "my-own-folder" not in after
    (told,) = tmp_path.glob("dbtui-*.txt")
    assert "no such luck" in told.read_text()


HANGING = """
import os, threading
from dbtui.wizard.app import WizardApp
def hang_in_a_worker(self):
    self.run_worker(threading.Event().wait, thread=True)
def hang_whole(self):
    open(os.environ["TMPDIR"] + "/it-hangs", "x").close()
    threading.Event().wait()
WizardApp.hang = {how}
WizardApp.on_ready = lambda self: self.set_timer(0.1, self.hang)
import dbtui.wizard.leaving
dbtui.wizard.leaving._GRACE = 0.3
import dbtui.__main__
dbtui.__main__.main()
"""


def test_a_worker_that_hangs_keeps_nobody(app):
    screen = app(program=["-c", HANGING.format(how="hang_in_a_worker")])
    before = time.monotonic()
    screen.type("q")
    assert screen.end() == 0
    assert time.monotonic() - before < 15
    assert is_put_back(screen)


def test_an_application_that_hangs_is_left(app, tmp_path, wait):
    screen = app(program=["-c", HANGING.format(how="hang_whole")])
    wait((tmp_path / "it-hangs").exists, "it hangs")
    screen.process.send_signal(signal.SIGTERM)
    assert screen.end() == 0
    assert is_put_back(screen)


@pytest.mark.parametrize("arguments", [(), ("--no-mouse", "--images", "half")])
def test_off_a_terminal_it_prints_the_help(dbtui, arguments):
    done = dbtui(*arguments)
    assert done.returncode == 2
    assert "doctor" in done.stdout
    assert "needs a terminal" in done.stderr


def test_a_terminal_that_can_draw_nothing(terminal):
    screen = terminal([sys.executable, *DBTUI], term="dumb")
    assert screen.end() == 2
    assert "needs a terminal" in screen.text
    assert "\x1b[?1049h" not in screen.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--images", "png"), "'png' is not one of"),
        (("--runs-dir",), "requires an argument"),
        (("--runs-dir", "x", "runs"), "belongs behind runs"),
        (("--no-mouse", "runs"), "belongs behind runs"),
        (("--mouse",), "No such option"),
    ],
)
def test_mistakes_are_told(dbtui, arguments, words):
    done = dbtui(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
