"""What a model is that somebody wants pictures of, and what they will probably ask of it: no torch, no hashes."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbtui.runs.find import find_runs
from trainer_core.config.schema import Config
from trainer_core.errors import UserError
from trainer_core.generate.source import WORDS, Source, find_source
from trainer_core.models.hashed import NAME
from trainer_core.models.sniff import is_hub_id
from trainer_core.on_disk import exists, from_home
from trainer_core.text import safe_text

_MOST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """A model at first sight.

    Attributes:
        words: what it is, or why it cannot be used; safe to show.
        is_good: whether pictures can be drawn with it.
        is_lora: whether it needs its start model.
        base: its start model, if a run tells it and it is there; safe to show.
        was: what the start model was called, where only the file tells.
        prompt: a prompt for it; "" if nothing tells one.
    """

    words: str
    is_good: bool
    is_lora: bool = False
    base: str = ""
    was: str = ""
    prompt: str = ""


def look_at(named: str) -> Look:
    """Return what `named` is."""
    try:
        source = find_source(named)
    except (UserError, OSError) as error:
        problem = error.problems[0] if isinstance(error, UserError) else str(error)
        return Look(safe_text(problem, 400).removeprefix(f"{safe_text(named)}: "), is_good=False)
    base = _base(source)
    was = safe_text(source.metadata.get(NAME, ""), 60)
    return Look(_words(source, base), True, source.is_lora, base, was, _prompt(source.config))


def newest_model(runs_dir: Path) -> str:
    """Return the newest run that has something to draw with; "" if there is none."""
    for run in find_runs(runs_dir)[:_MOST_RUNS]:
        with suppress(UserError, OSError):
            find_source(str(run.path))
            return str(runs_dir / run.name)
    return ""


def _base(source: Source) -> str:
    base = source.config.model.base if source.config else None
    return safe_text(base, 200) if base and (exists(from_home(base)) or is_hub_id(base)) else ""


def _words(source: Source, base: str) -> str:
    what = f"{WORDS[source.kind]}, step {source.step}" if source.step is not None else WORDS[source.kind]
    beside = f", beside {Path(base).name}" if source.is_lora and base else ""
    where = f" ({safe_text(source.path.name, 60)})" if source.kind != "checkpoint" else ""
    return f"{what}{where}{beside}"


def _prompt(config: Config | None) -> str:
    """Return the first preview's prompt, or the words that were trained."""
    if config is None:
        return ""
    if config.sample.prompts:
        return safe_text(config.sample.prompts[0].prompt, 400)
    for concept in config.concept:
        words = " ".join(filter(None, (concept.identifier, concept.class_)))
        if words:
            return safe_text(f"a photo of {words}", 400)
    return ""
