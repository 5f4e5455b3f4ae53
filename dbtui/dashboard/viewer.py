"""Watch a run to its end, on a terminal or in plain lines, and say how it ended."""

import shlex
import signal
import sys
from collections.abc import Sequence
from functools import partial

from rich.text import Text

from dbtui.dashboard.interrupts import Interrupts
from dbtui.dashboard.live import Dashboard, Leaving, still_picture
from dbtui.dashboard.plain import PlainLines, waiting_line
from dbtui.dashboard.screen import SturdyOutput, can_draw, make_console
from dbtui.dashboard.state import Event
from dbtui.dashboard.summary import summarize_end
from dbtui.dashboard.watched import Watched
from dbtui.runs.follow import Follower
from dbtui.runs.launch import TrainerProcess
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
            return _leave(follower, leaving)
    if _watch_plainly(follower, interrupts, pass_on):
        return _tell_end(follower)
    return _leave(follower, Leaving.DETACHED)


def _leave(follower: Follower, leaving: Leaving) -> ExitCode:
    if leaving is Leaving.IMPATIENT:
        _say(f"the trainer goes on to save; look again with: {follower.come_back}")
        return ExitCode.STOPPED
    if leaving is Leaving.DETACHED:
        _say(f"the training goes on; come back with: {follower.come_back}")
    return ExitCode.DONE


def watch_attached(run: RunDirectory, interrupts: Interrupts) -> ExitCode:
    """Watch a run that anybody started; return its exit code if it ends meanwhile, DONE if the viewer leaves."""
    return watch(Follower(run), interrupts)


def watch(follower: Watched, interrupts: Interrupts) -> ExitCode:
    """Do so with a run that is followed already."""
    past = follower.poll()
    is_over = follower.has_ended()
    if is_over and follower.status() == "not started":
        facts = follower.facts()
        where = f" on {safe_text(facts.place)}" if facts.place else ""
        start = safe_text(shlex.join(["dbtui", "resume", str(facts.path)]), 1000)
        _say(f"{safe_text(facts.name)} has not been started; start it{where} with: {start}")
        return ExitCode.DONE
    if not can_draw():
        return _tell_end(follower) if _watch_plainly(follower, interrupts, None, past) else ExitCode.DONE
    if is_over:
        output = SturdyOutput(sys.stdout)
        still_picture(follower, make_console(output), follower.facts())
        return _tell_end(follower)
    leaving = Dashboard(follower).watch(interrupts)
    if leaving is Leaving.ENDED:
        return _tell_end(follower)
    if leaving is Leaving.DETACHED:
        _say(f"the training goes on; come back with: {follower.come_back}")
    return ExitCode.DONE


def _watch_plainly(
    follower: Watched, interrupts: Interrupts, pass_on: PassOn | None, past: Sequence[Event] = ()
) -> bool:
    """Print lines until the run ends, beginning with the last of the `past`.

    Return False if a signal ended the viewer instead, or nobody reads an attached one any more.
    """
    output, lines, told_silence, had_trouble = SturdyOutput(sys.stdout), PlainLines(), False, False
    _print(output, lines.feed(past)[-_PAST_LINES:])
    while True:
        if output.is_gone and pass_on is None:
            return False
        for number in interrupts.take():
            if pass_on is None or (number is signal.SIGHUP and not is_main_process()):
                return False
            _print(output, [pass_on.pass_on(number)])
        if bool(trouble := follower.trouble) is not had_trouble:
            had_trouble = not had_trouble
            _print(output, [trouble or "the connection is there again"])
        has_ended = follower.has_ended()
        if new := follower.poll():
            told_silence = False
            _print(output, lines.feed(new))
        elif not told_silence and not has_ended and not trouble and follower.status() == "stalled":
            told_silence = True
            _print(output, [waiting_line(follower.silence, follower.why_silent())])
        if has_ended:
            return True
        interrupts.wait(_LOOK_EVERY)


def _tell_end(follower: Watched) -> ExitCode:
    follower.poll()
    if follower.status() == "fetched":
        facts = follower.facts()
        _say(
            f"a copy of a run that {facts.fetched_from} was still training; for what came since: {facts.bring_it}"
        )
        return ExitCode.DONE
    code, death = follower.exit_code(), follower.silent_death()
    log = follower.last_words() if death else []
    _say_lines(summarize_end(follower.state, follower.facts(), code, death, log))
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
