"""What can be done with a run from any screen that shows it: go on with it, remove it, begin anew from it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbtui.wizard.in_thread import in_thread, to_the_end
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.runs.launch import TrainerProcess
    from dbtui.wizard.app import WizardApp
    from dbtui.wizard.review.mends import Mend
    from trainer_core.resume.wishes import Wishes

_PATIENCE = 30.0
_OTHER = "What the model is to learn is not what it was: the result is of neither training."


async def resume(app: "WizardApp", run: RunDirectory, overrides: tuple[str, ...] = ()) -> None:
    """Go on with a stopped or paused run and watch it; what has changed since is shown first."""
    from trainer_core.resume.wishes import Wishes

    app.notify(f"looking at {run.name}: its pictures, its model, its last state …", timeout=3)
    wishes, lines = Wishes(overrides), list[str]()
    try:
        if await in_thread(_goes_on, run):
            app.watch_run(run)
            return
        await in_thread(_look, run, wishes, lines.append)
        is_wished = await ask(app, f"Resume {run.name}?", lines, "resume")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        is_other = isinstance(error, UserError) and error.code is ExitCode.RESUME and bool(lines)
        if not is_other:
            await tell(app, f"{run.name} cannot be resumed", error)
            return
        question = f"Go on with {run.name} all the same?"
        is_wished = await ask(app, question, [*lines, "", _OTHER], "go on all the same")
        wishes = Wishes(overrides, allow_changed=True)
    if is_wished:
        await start(app, run, wishes)


async def start(app: "WizardApp", run: RunDirectory, wishes: "Wishes | None" = None) -> None:
    """Start the trainer of a run and watch it."""
    try:
        process = await to_the_end(_launch, run, wishes)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        await tell(app, f"{run.name} cannot be started", error)
        return
    app.trainers.append(process)
    app.watch_run(run)


async def delete(app: "WizardApp", run: RunDirectory) -> bool:
    """Remove a run, if the person agrees; return whether it is gone."""
    from dbtui.dashboard.state import size_text
    from dbtui.runs.delete import delete_run, refuse_outside, size_of

    runs_dir = app.options.runs_dir
    try:
        await in_thread(refuse_outside, run, runs_dir)
        size = size_text(await in_thread(size_of, run))
        lines = [
            f"{safe_text(run.path, 300)}: {size}",
            "Its previews, checkpoints and the models in it go for good; your pictures are not touched.",
        ]
        if not await ask(app, f"Delete {run.name}?", lines, "delete it"):
            return False
        await to_the_end(delete_run, run, runs_dir)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        await tell(app, f"{run.name} was not deleted", error)
        return False
    app.notify(f"{run.name} is deleted: {size} are free again")
    return True


async def new_from(app: "WizardApp", run: RunDirectory, mend: "Mend | None" = None) -> None:
    """Begin a new run with all answers of this one; with `mend` at the question that is to be answered anew."""
    from dbtui.wizard.from_run import draft_of_run

    try:
        draft = await in_thread(draft_of_run, run)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        await tell(app, f"no new run can be made from {run.name}", error)
        return
    if mend:
        draft.step = mend.step.name
        app.new_run(draft, mend.key, mend.text)
    else:
        app.new_run(draft)


async def repeat_model(app: "WizardApp", path: Path) -> None:
    """Begin a new run with the settings that a model was trained with."""
    from dbtui.wizard.from_run import draft_of_model

    app.notify("reading its settings, and looking for its start model …", timeout=4)
    try:
        draft = await in_thread(draft_of_model, path, app.options.runs_dir)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        await tell(app, f"no new run can be made from {safe_text(path.name, 80)}", error)
        return
    app.new_run(draft)


async def try_demo(app: "WizardApp") -> None:
    """Make the demo's run, start and watch it."""
    app.notify("drawing pictures …", timeout=4)
    try:
        run = await to_the_end(_demo, app.options.runs_dir)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        await tell(app, "the demo cannot be started", error)
        return
    await start(app, run)


async def ask(app: "WizardApp", question: str, lines: Sequence[str], yes: str) -> bool:
    """Ask the person, in a dialog."""
    from dbtui.wizard.screens.confirm import Confirm

    is_wished: bool = await app.push_screen_wait(Confirm(question, lines, yes))
    return is_wished


async def tell(app: "WizardApp", title: str, error: Exception) -> None:
    """Show what keeps from it, every problem, until the person has read it."""
    from dbtui.wizard.screens.lines import LinesScreen

    problems = error.problems if isinstance(error, UserError) else [str(error)]
    await app.push_screen_wait(LinesScreen(title, problems))


def written_report(run: RunDirectory) -> Path:
    """Write the run's page anew and return it; a thread calls this."""
    from trainer_core.report.write import write_report

    return write_report(run, None)


def _goes_on(run: RunDirectory) -> bool:
    """Let a paused trainer go on; False if there is none that is paused."""
    from dbtui.runs.ask import ask as ask_trainer
    from dbtui.runs.summary import summarize

    if summarize(run).status != "paused":
        return False
    answer = ask_trainer(run, "unpause", _PATIENCE)
    if answer.outcome != "yes":
        raise UserError(answer.text, ExitCode.FAILED)
    return True


def _look(run: RunDirectory, wishes: "Wishes", say: Callable[[str], None]) -> None:
    from dbtui.runs.resume import look_before_resume, refuse_resume

    refuse_resume(run, wishes)
    look_before_resume(run, wishes, say)


def _launch(run: RunDirectory, wishes: "Wishes | None") -> "TrainerProcess":
    from dbtui.runs.launch import launch
    from trainer_core.resume.wishes import NO_WISHES

    process = launch(run, wishes=wishes or NO_WISHES)
    process.wait_until_alive()
    return process


def _demo(runs_dir: Path) -> RunDirectory:
    from dbtui.demo.files import write_demo_files
    from dbtui.demo.prepare import demo_folder, demo_run

    return demo_run(write_demo_files(demo_folder(runs_dir)), runs_dir)
