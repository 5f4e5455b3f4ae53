"""What stays on the screen when a run is over: how it ended, where the model is, how to use it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from dbtui.dashboard.facts import RunFacts
from dbtui.dashboard.state import RunState
from dbtui.dashboard.words import duration, loss_text
from trainer_core.errors import ExitCode
from trainer_core.run.directory import RunDirectory
from trainer_core.suggestion import suggest, there
from trainer_core.text import safe_text

_MOST_PROBLEMS = 20
_ONE_FILE = {".safetensors", ".ckpt"}


def summarize_end(
    state: RunState, facts: RunFacts, code: ExitCode, death: str = "", log: Sequence[str] = ()
) -> list[Text]:
    """Say how the run ended and what to do now.

    `death` says how a trainer ended that did not say so itself; `log` is the end of its output then.
    """
    name, path = safe_text(facts.name, 64), facts.path
    if code is ExitCode.DONE:
        headline = _headline("✓", f"{name} is done: {_steps(state)}", "bold green")
        return [
            headline,
            *_models(state, facts),
            *_suggested(state, facts),
            *_also(state),
            *_in_all(state),
            *_page(facts),
        ]
    if code is ExitCode.STOPPED:
        lines = [_headline("■", f"{name} stopped at step {state.step}{_of_total(state)}", "bold yellow")]
        kept = _models(state, facts) + _suggested(state, facts) + _checkpoint(state, facts)
        kept = kept or [_row("kept", "no state was saved yet"), _go_on(facts)]
        return lines + kept + _in_all(state) + _page(facts)
    reasons = _reasons(state.ending.text if state.ending and state.ending.text else death)
    where = f" at step {state.step}" if state.step else ""
    lines = [_headline("✗", f"{name} failed{where} (exit code {int(code)}): {reasons[0]}", "bold red")]
    lines += [Text(f"    {reason}", "bold red") for reason in reasons[1:]]
    lines += [Text(f"    {line}", "dim") for line in log]
    lines += _models(state, facts) + _checkpoint(state, facts) + _page(facts)
    return [*lines, _row("output", RunDirectory(path).console_log)]


def _reasons(text: str) -> list[str]:
    """Split what went wrong into its problems, one line each; several are counted first."""
    problems = [safe_text(line, 1000) for line in text.split("\n") if line.strip()]
    if len(problems) < 2:
        return problems or [""]
    rest = len(problems) - _MOST_PROBLEMS
    more = [f"and {rest} more, which the output tells"] if rest > 0 else []
    return [f"{len(problems)} problems", *problems[:_MOST_PROBLEMS], *more]


def _steps(state: RunState) -> str:
    loss = f", loss {loss_text(state.smooth_loss)} (smooth)" if state.smooth_loss is not None else ""
    return f"{state.step} steps{loss}"


def _of_total(state: RunState) -> str:
    return f" of {state.total_steps}" if state.total_steps else ""


def _models(state: RunState, facts: RunFacts) -> list[Text]:
    """Name the files of the newest model, how to use it, and the last previews."""
    outputs = state.ending.outputs if state.ending else ()
    saved = [each.path for each in state.written if each.kind == "saved"]
    paths = [_as_here(facts.path / path, state, facts) for path in (outputs or saved[-1:])]
    lines = [_row("model", path) for path in paths]
    if paths:
        lines.append(_row("use it", _use(paths[0], facts)))
    if state.previews:
        step = state.previews[-1].step
        last = [each for each in state.previews if each.step == step]
        lines.append(
            _row("previews", f"{facts.path / last[0].path}" + (f" and {len(last) - 1} more" * (len(last) > 1)))
        )
    return lines


def _suggested(state: RunState, facts: RunFacts) -> list[Text]:
    """Name the saved model to take, and why; where nothing tells, that."""
    found = suggest(state.course, there(RunDirectory(facts.path)))
    if found is None or not (found.is_measured or (state.ending and not state.ending.exit_code)):
        return []
    if not found.is_measured:
        return [_row("which one", found.reason)]
    return [_row("suggested", _as_here(facts.path / found.path, state, facts)), _row("why", found.reason)]


def _also(state: RunState) -> list[Text]:
    """Say what the trainer added to its number of steps: that the upload failed, say."""
    more = state.ending.text.partition("; ")[2] if state.ending else ""
    return [_row("also", more)] if more else []


def _in_all(state: RunState) -> list[Text]:
    """Say what was done over all resumes; of a run that went through in one, its headline says enough."""
    totals = state.totals
    if totals is None or not totals.resumes:
        return []
    times = "once" if totals.resumes == 1 else f"{totals.resumes} times"
    return [_row("in all", f"{totals.images} pictures in {duration(totals.seconds)} of steps, resumed {times}")]


def _page(facts: RunFacts) -> list[Text]:
    if facts.place:
        return [_row("bring it", facts.bring_it)]
    page = RunDirectory(facts.path).report
    return [_row("report", page)] if page.is_file() else []


def _checkpoint(state: RunState, facts: RunFacts) -> list[Text]:
    """Name the newest complete state and how to go on from it, there where it is."""
    paths = [_as_here(facts.path / each.path, state, facts) for each in state.written if each.kind == "checkpoint"]
    if not paths:
        return []
    return [_row("state", paths[-1]), _go_on(facts)]


def _go_on(facts: RunFacts) -> Text:
    where = f" (on {facts.place})" if facts.place else ""
    return _row("go on", shlex.join(["dbtui", "resume", str(facts.path)]) + where)


def _as_here(path: Path, state: RunState, facts: RunFacts) -> Path:
    """Return where a file of a run lies that was brought here: its events tell where it was."""
    if not facts.fetched_from or state.run not in path.parts:
        return path
    last = len(path.parts) - 1 - path.parts[::-1].index(state.run)
    here = facts.path.joinpath(*path.parts[last + 1 :])
    return here if here.exists() else path


def _use(path: Path, facts: RunFacts) -> str:
    if facts.is_lora:
        prompt = f" {' or '.join(facts.prompts)}" if facts.prompts else ""
        return f"copy it to models/Lora of your web UI, and write: <lora:{path.stem}:1>{prompt}"
    write = f", and write: {' or '.join(facts.prompts)}" if facts.prompts else ""
    if path.suffix in _ONE_FILE:
        beside = path.with_suffix(".yaml")  # says what a 2.x model is to programs that cannot see it
        what = f"both it and {beside.name}" if beside.is_file() else "it"
        return f"copy {what} to models/Stable-diffusion of your web UI{write}"
    return f'StableDiffusionPipeline.from_pretrained("{path}") with diffusers{write}'


def _headline(sign: str, words: str, style: str) -> Text:
    return Text(f"{sign} {words}", style)


def _row(label: str, value: object) -> Text:
    return Text.assemble(f"  {label:<9} ", (safe_text(value, 1000), "cyan" if isinstance(value, Path) else ""))
