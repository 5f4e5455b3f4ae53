"""What a model is that a person has named: read from its header, or why it cannot be trained."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dbtui.runs.model_words import form_words, kind_words
from dbtui.wizard.models.hub_cache import snapshot_of
from dbtui.wizard.models.known import with_tilde
from trainer_core.config.schema import Model
from trainer_core.models.layout import is_diffusers_folder
from trainer_core.models.preflight import check_model, is_pickled
from trainer_core.models.sniff import GUESS, ModelInfo, is_hub_id
from trainer_core.on_disk import from_home, is_absent, is_folder
from trainer_core.text import safe_text


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model before its weights are read. All texts are safe to show.

    Attributes:
        base: what belongs into a run file: an absolute path, or a Hub id.
        info: None if it cannot be trained.
        problems: why not, each with the next action.
        in_cache: whether it is a Hub id that lies in the Hub's cache already.
        is_begun: whether there is nothing yet, or a folder on the way to it: the path is still being typed.
        vae: what belongs into a run file as model.vae; "" for none.
    """

    base: str
    info: ModelInfo | None
    problems: tuple[str, ...] = ()
    in_cache: bool = False
    is_begun: bool = False
    vae: str = ""

    @property
    def sign(self) -> str:
        """One character that tells whether it can be trained: yes, no, or not known before it is loaded."""
        if self.info is None:
            return "✗"
        return "✓" if self.info.family else "?"

    @property
    def can_be_settled(self) -> bool:
        """Whether nothing but the person (or loading it) tells what it predicts."""
        return self.info is not None and self.info.prediction_from in {"", GUESS, "model.prediction"}


def facts_of(named: str, *, prediction: str = "auto", vae: str = "", revision: str = "main") -> ModelFacts:
    """Return what the model `named` is; the network is not asked.

    `prediction`, `vae` and `revision` are what was answered to these settings of [model].
    """
    base, whole_vae = whole(named), whole(vae)
    snapshot = snapshot_of(base, revision) if is_hub_id(base) else None
    said = prediction if prediction in {"epsilon", "v"} else "auto"
    settings = {"base": str(snapshot or base), "vae": whole_vae or None, "prediction": said}
    info, errors = check_model(Model.model_validate(settings))
    problems = tuple(safe_text(problem, 1000) for error in errors for problem in error.problems)
    return ModelFacts(
        base,
        info if not problems else None,
        problems,
        in_cache=snapshot is not None,
        is_begun=is_absent(base) or (is_folder(base) and not is_diffusers_folder(Path(base))),
        vae=whole_vae,
    )


def whole(named: str) -> str:
    """Return a path as an absolute one, since a draft may be gone on with elsewhere; a Hub id as it is.

    The quotes that a terminal puts round a file dropped into it are left out.
    """
    if len(named) > 1 and named[0] == named[-1] and named[0] in "'\"" and is_absent(named):
        named = named[1:-1]
    return named if not named or is_hub_id(named) else os.path.normpath(from_home(named).absolute())


def fact_lines(facts: ModelFacts) -> list[str]:
    """Return what is known of a model that can be trained, in two lines."""
    info = facts.info
    assert info is not None
    kind = kind_words(info) or ["what kind it is will be known once it is loaded"]
    form = form_words(info)
    if is_hub_id(facts.base):
        form = [
            "from the Hub, here already" if facts.in_cache else "from the Hub, fetched when it is needed",
            *form[1:],
        ]
    return [" · ".join(safe_text(word) for word in words) for words in (kind, form)]


def remarks(facts: ModelFacts) -> list[str]:
    """Return what should be known of a model that can be trained, and what to do about it."""
    info = facts.info
    if info is None:
        return []
    found = []
    if info.path is not None and is_pickled(info):
        found.append(_about_pickles(info.path, info))
    if info.overruled:
        found.append(
            f"you say what it predicts, and {safe_text(info.overruled)} says otherwise: trained for what it does "
            "not predict, a model is ruined"
        )
    elif info.prediction_from == GUESS:
        found.append("nothing in it says what it predicts; the page where you got it does: 768-v models predict v")
    return found


def _about_pickles(path: Path, info: ModelInfo) -> str:
    what = "a .ckpt" if info.format == "ckpt" else "a part of it"
    about = (
        f"{what} is a pickle, which can hold programs; it is read in a process of its own that takes only numbers"
    )
    if info.format != "ckpt":
        return about
    target = path.with_suffix(".safetensors")
    return f"{about}. To be rid of that: dbtui convert {_shown(path)} {_shown(target)}"


def _shown(path: Path) -> str:
    """Return a path as it can be pasted into a shell."""
    home, below, rest = with_tilde(str(path)).partition("~/")
    quoted = shlex.quote(rest) if below and not home else shlex.quote(str(path))
    return safe_text(f"~/{quoted}" if below and not home else quoted, 300)
