"""How a training that is resumed differs from the one that its checkpoint is of, and what of it may differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trainer_core.config.schema import Config, Scheduler
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.facts import Facts
from trainer_core.resume.pictures import changed_pictures
from trainer_core.resume.settings import changed_settings, field_of, settings_of
from trainer_core.resume.words import shown_value
from trainer_core.text import safe_text
from trainer_core.train.learning_rate import learning_rate_at

_PEAK, _SCHEDULE = "optimizer.learning_rate", "scheduler."
_MODEL_PATHS = ("model.base", "model.vae", "model.tokenizer")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not what it was.

    Attributes:
        what: a setting's key, "pictures", "start model", "learning rate after step 500", or "with torch" for the
            version of a library.
        was: what it was, in the types of JSON.
        now: what it is.
        is_safe: whether the training stays what it was meant to be; if not, it takes --allow-changed.
        words: what to say of it instead of `was` and `now`.
    """

    what: str
    was: Any
    now: Any
    is_safe: bool
    words: str = ""

    def line(self) -> str:
        """Say it in one line: what: was -> is."""
        return f"{safe_text(self.what)}: {self.words or f'{shown_value(self.was)} -> {shown_value(self.now)}'}"

    def sentence(self) -> str:
        """Say it in words."""
        if self.words:
            return f"{safe_text(self.what)}: {self.words}"
        return f"{safe_text(self.what)} was {shown_value(self.was)} and is {shown_value(self.now)}"

    @property
    def is_setting(self) -> bool:
        """Whether it is a setting of the configuration."""
        return field_of(self.what) is not None


def compare(was: Facts, now: Facts, config: Config, step: int) -> list[Difference]:
    """Return every difference between what the checkpoint of `step` remembers and `now`, which is of `config`."""
    return [
        *_settings(was, now),
        *_schedule(was, now, config, step),
        *_pictures(was, now),
        *_model(was, now),
        *_made_with(was, now),
    ]


def since_file(file: Config, config: Config) -> list[Difference]:
    """Return the settings of `config` that are not the file's; nothing was learned yet, so all are safe."""
    changes = changed_settings(settings_of(file), settings_of(config), lists=True)
    return [Difference(key, before, after, is_safe=True) for key, (before, after) in changes.items()]


def as_event(differences: Iterable[Difference]) -> dict[str, list[Any]]:
    """Return the `changed` of the event `resumed`: [was, now] of each thing."""
    return {each.what: [each.was, each.now] for each in differences}


def refuse_unsafe(differences: Iterable[Difference], checkpoint: str, run: str) -> None:
    """Raise UserError(RESUME) naming every difference that is not safe, and what can be done.

    `checkpoint` and `run` are what messages call them, safe to show; `run` as it is written on a command line.
    """
    unsafe = [each for each in differences if not each.is_safe]
    if unsafe:
        problems = [f"{checkpoint} is of another training: {each.sentence()}" for each in unsafe]
        what = "it" if len(unsafe) == 1 else "them"
        action = f"put {what} back, start a new run, or go on all the same: dbtui resume {run} --allow-changed"
        raise UserError([*problems, action], ExitCode.RESUME)


def _settings(was: Facts, now: Facts) -> Iterator[Difference]:
    has_model = bool(was.get("model")) and bool(now.get("model"))
    changes = changed_settings(was["settings"], now["settings"], lists=_is_complete(was))
    for key, (before, after) in changes.items():
        field = field_of(key)
        is_safe = field is not None and field.about.changeable
        moved = key in _MODEL_PATHS and has_model  # then the files themselves are compared
        yield Difference(key, before, after, is_safe or moved)


def _schedule(was: Facts, now: Facts, config: Config, step: int) -> Iterator[Difference]:
    """Tell of a learning rate that goes on elsewhere, as where its schedule spans another number of steps."""
    after = learning_rate_at(step, now["total_steps"], config.optimizer.learning_rate, config.scheduler)
    before = _rate_then(was, step)
    if before is not None and before != after:
        short_before, short_after = (float(f"{rate:.4g}") for rate in (before, after))
        yield Difference(f"learning rate after step {step}", short_before, short_after, is_safe=True)


def _rate_then(was: Facts, step: int) -> float | None:
    """Return what the learning rate would have been; None where format 1 does not tell."""
    settings, total = was["settings"], was.get("total_steps")
    if not total or type(settings.get(_PEAK)) is not float:
        return None
    known = {key: value for key, value in settings.items() if key.startswith(_SCHEDULE)}
    try:
        shape = Scheduler.model_validate({key.removeprefix(_SCHEDULE): value for key, value in known.items()})
    except ValidationError:  # of a version that knew others
        return None
    return learning_rate_at(step, total, settings[_PEAK], shape)


def _pictures(was: Facts, now: Facts) -> Iterator[Difference]:
    changes = changed_pictures(was["pictures"], now["pictures"])
    if changes:
        before, after = len(was["pictures"]), len(now["pictures"])
        words = changes.words()
        yield Difference("pictures", f"{before}", f"{after}, {words}", is_safe=False, words=words)


def _model(was: Facts, now: Facts) -> Iterator[Difference]:
    before, after = was.get("model"), now.get("model")
    if before and after and before != after:
        words = "other weights, VAE or tokenizer in its files"
        yield Difference("start model", before[:12], after[:12], is_safe=False, words=words)


def _made_with(was: Facts, now: Facts) -> Iterator[Difference]:
    before, after = was.get("made_with", {}), now.get("made_with", {})
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            yield Difference(f"with {name}", before[name], after[name], is_safe=True)


def _is_complete(facts: Facts) -> bool:
    """Tell whether the facts hold lists of tables; those of format 1 do not."""
    return "total_steps" in facts
