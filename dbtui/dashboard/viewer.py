"""Watch a run to its end, on a terminal or in plain lines, and say how it ended."""

import shlex
import signal
import sys
from collections.abc import Sequence
from functools import partial

from rich.text import Text

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.interrupts import Interrupts
from dbtui.dashboard.live import Dashboard, Leaving, still_picture
from dbtui.dashboard.plain import PlainLines, waiting_line
from dbtui.dashboard.screen import SturdyOutput, can_draw, make_console
from dbtui.dashboard.state import Event
from dbtui.dashboard.summary import summarize_end
from dbtui.runs.follow import Follower
from dbtui.runs.launch import TrainerProcess, last_words
from dbtui.runs.main_process import is_main_process
from dbtui.runs.pass_on import PassOn
from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

_LOOK_EVERY = 0.5
_PAST_LINES = 10


def watch_started(process: TrainerProcess, interrupts: Interrupts) -> ExitCode:
    """Watch a training that this program started; return its exit code.

    On a terminal Ctrl-C asks the trainer to stop and save, and a second one, `d` or a lost connection only end
    the viewer. Elsewhere signals are passed on to the trainer, and its end is waited for; a lost connection ends
    the viewer. The main process of a container always waits for the end: everything ends with it.
    """
    follower, is_drawn = Follower(process.run, process), can_draw()
    pass_on = PassOn(process, is_alone=is_drawn or is_main_process())
    if is_drawn:
        ask = partial(pass_on.pass_on, signal.SIGINT)
        leaving = Dashboard(follower, ask, stays=is_main_process()).watch(interrupts)
        if leaving is not Leaving.ENDED and not is_main_process():
            return _leave(process, leaving)
    if _watch_plainly(follower, interrupts, pass_on):
        return _tell_end(follower)
    return _leave(process, Leaving.DETACHED)


def _leave(process: TrainerProcess, leaving: Leaving) -> ExitCode:
    if leaving is Leaving.IMPATIENT:
        _say(f"the trainer goes on to save; look again with: {attach_command(process.run)}")
        return ExitCode.STOPPED
    if leaving is Leaving.DETACHED:
        _say(f"the training goes on; come back with: {attach_command(process.run)}")
    return ExitCode.DONE


def watch_attached(run: RunDirectory, interrupts: Interrupts) -> ExitCode:
    """Watch a run that anybody started; return its exit code if it ends meanwhile, DONE if the viewer leaves."""
    follower = Follower(run)
    past = follower.poll()
    is_over = follower.has_ended()
    if not can_draw():
        return _tell_end(follower) if _watch_plainly(follower, interrupts, None, past) else ExitCode.DONE
    if is_over:
        output = SturdyOutput(sys.stdout)
        still_picture(follower, make_console(output), read_facts(run))
        return _tell_end(follower)
    leaving = Dashboard(follower).watch(interrupts)
    if leaving is Leaving.ENDED:
        return _tell_end(follower)
    if leaving is Leaving.DETACHED:
        _say(f"the training goes on; come back with: {attach_command(run)}")
    return ExitCode.DONE


def attach_command(run: RunDirectory) -> str:
    """Return the command that shows the run again from any folder."""
    return f"dbtui attach {shlex.quote(safe_text(run.path, 1000))}"


def _watch_plainly(
    follower: Follower, interrupts: Interrupts, pass_on: PassOn | None, past: Sequence[Event] = ()
) -> bool:
    """Print lines until the run ends, beginning with the last of the `past`.

    Return False if a signal ended the viewer instead, or nobody reads an attached one any more.
    """
    output, lines, told_silence = SturdyOutput(sys.stdout), PlainLines(), False
    _print(output, lines.feed(past)[-_PAST_LINES:])
    while True:
        if output.is_gone and pass_on is None:
            return False
        for number in interrupts.take():
            if pass_on is None or (number is signal.SIGHUP and not is_main_process()):
                return False
            _print(output, [pass_on.pass_on(number)])
        has_ended = follower.has_ended()
        if new := follower.poll():
            told_silence = False
            _print(output, lines.feed(new))
        elif not told_silence and not has_ended and follower.status() == "stalled":
            told_silence = True
            _print(output, [waiting_line(follower.silence, follower.why_silent())])
        if has_ended:
            return True
        interrupts.wait(_LOOK_EVERY)


def _tell_end(follower: Follower) -> ExitCode:
    follower.poll()
    code, death = follower.exit_code(), follower.silent_death()
    log = last_words(follower.run) if death else []
    _say_lines(summarize_end(follower.state, read_facts(follower.run), code, death, log))
    return code


def _say_lines(lines: Sequence[Text]) -> None:
    console = make_console(SturdyOutput(sys.stdout))
    for line in lines:
        console.print(line, soft_wrap=True)


def _say(text: str) -> None:
    _say_lines([Text(text)])


def _print(output: SturdyOutput, lines: Sequence[str]) -> None:
    for line in lines:
        output.write(line + "\n")
    output.flush()
