"""One process's work on a run, from its configuration to the exit code."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict

from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.logs.follower import end_logs
from trainer_core.logs.start import follow_run
from trainer_core.models.quiet import quiet_imports
from trainer_core.narrate import NarratedEvents
from trainer_core.ranks.failures import LostProcessError, failure_of_another
from trainer_core.ranks.place import is_one_of_several
from trainer_core.resume.wishes import NO_WISHES, Wishes
from trainer_core.run.control import ControlReader
from trainer_core.run.directory import RunDirectory
from trainer_core.run.stop_signals import StopRequestedError, StopSignals
from trainer_core.text import safe_text
from trainer_core.train.halt import Halt
from trainer_core.train.hand_over import Ending, hand_over, left_to_hand_over
from trainer_core.train.job import Job
from trainer_core.train.loop import train
from trainer_core.train.make_ready import make_ready
from trainer_core.train.naming import final_name
from trainer_core.train.outputs import Outputs
from trainer_core.train.publish import Trained
from trainer_core.train.session import Session
from trainer_core.train.what_is_left import what_is_left


def train_run(
    run: RunDirectory, events: NarratedEvents, signals: StopSignals, wishes: Wishes = NO_WISHES
) -> ExitCode:
    """Train `run`, whose lock is held, to its end or until it is stopped; go on from its newest checkpoint.

    Every ending is written as an event, and every expected one said in one message.
    """
    quiet_imports()
    try:
        with ExitStack() as held:  # what a run holds besides its folder
            ending = _train(run, events, signals, wishes, held)
        code = ending.code
        events.emit("finished" if code is ExitCode.DONE else "failed", **ending.fields())
    except UserError as error:
        code = error.code
        left = what_is_left(run, code) if code in (ExitCode.NON_FINITE, ExitCode.OUT_OF_MEMORY) else []
        _fail(events, code, "\n".join([*error.problems, *left]))
    except Exception as error:  # noqa: BLE001 - the traceback goes to the console log, the person gets one line
        traceback.print_exc()
        code = ExitCode.FAILED
        text = f"unexpected failure ({type(error).__name__}: {safe_text(error)}); the details are in console.log"
        _fail(events, code, text)
    return code


def _train(
    run: RunDirectory, events: NarratedEvents, signals: StopSignals, wishes: Wishes, held: ExitStack
) -> Ending:
    halt = Halt(ControlReader(run), signals, events)
    try:
        with signals.interrupting():
            config = wishes.configuration(run)
            if not (left := left_to_hand_over(run, config)):
                session = make_ready(run, config, events, halt, wishes, held)
    except (StopRequestedError, Exception):
        if is_one_of_several() and (failure := failure_of_another(run, patience=0)):
            raise failure from None  # the launcher ends this process then, as if it were a stop
        if not halt.is_asked():
            raise
        return Ending(ExitCode.STOPPED, f"stopped before it trained ({halt.reason}); it can be started again")
    if left:
        return hand_over(left, run, events, halt)
    logs = follow_run(config, run, events, session.job.step)
    try:
        return _to_the_end(config, session)
    finally:
        end_logs(logs, halt.is_asked)


def _to_the_end(config: Config, session: Session) -> Ending:
    job, outputs, halt = session.job, session.outputs, session.halt
    if job.step == 0:
        if config.sample.before_training:
            outputs.draw_previews()
        session.validate()
    total, an_epoch = job.samples.total_steps, job.samples.order.steps_per_epoch
    outputs.events.emit("phase", name="train", total=total, epochs=-(-total // an_epoch), steps_per_epoch=an_epoch)
    outputs.in_loop = True
    with _nothing_lost(job, outputs):
        try:
            if session.begin():
                train(job, session.report, session.between_steps)
        except StopRequestedError:  # in the middle of a long step, which a resume does anew
            if job.step:
                outputs.save_last_state()
        outputs.in_loop = False
        if halt.reason and job.step < job.samples.total_steps:
            job.dismiss()
            return Ending(ExitCode.STOPPED, f"stopped at step {job.step} ({halt.reason}); it can be resumed")
        return _finish(config, session)


@contextmanager
def _nothing_lost(job: Job, outputs: Outputs) -> Iterator[None]:
    """Write the complete state before an error ends the training, unless the weights are the error."""
    try:
        yield
    except BaseException as error:
        is_broken = isinstance(error, UserError) and error.code is ExitCode.NON_FINITE
        if job.sharded or (isinstance(error, LostProcessError) and job.device.type == "cuda"):
            is_broken = True  # a step may be under way on a device that waits for another process
        if job.step and not job.in_update and not is_broken:
            with suppress(Exception):  # the first error is the one to tell
                outputs.save_last_state()
        raise
    finally:
        outputs.in_loop = False
        outputs.states.end(in_haste=outputs.should_stop())
        job.loader.close()


def _finish(config: Config, session: Session) -> Ending:
    """Write the model, whoever asks for a stop; then what follows it, unless somebody does."""
    job, outputs, halt = session.job, session.outputs, session.halt
    paths = outputs.save_final_model(final_name(config.save.output_name))
    session.validate()
    drawn = bool(config.sample.prompts) and not halt.is_asked() and outputs.draw_previews()
    told = f"; no last previews ({halt.reason})" if halt.reason and config.sample.prompts and not drawn else ""
    outputs.states.end(in_haste=halt.is_asked())  # told before the end is
    job.dismiss()
    trained = Trained(config, job.model.family.title, job.step, paths, asdict(job.totals))
    return hand_over(trained, outputs.run, outputs.events, halt, told)


def _fail(events: NarratedEvents, code: ExitCode, text: str) -> None:
    events.emit("failed", exit_code=int(code), text=text, step=None, outputs=[])
    sys.stderr.write("".join(f"error: {safe_text(line, limit=2000)}\n" for line in text.split("\n")))
