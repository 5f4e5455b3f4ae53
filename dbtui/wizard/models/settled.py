"""What a person says that a model predicts, where nothing in the model does: remembered for that model alone."""

from dbtui.wizard.draft import Draft
from dbtui.wizard.models.facts import ModelFacts

_ASIDE = "predictions of models"
_NEXT = {"auto": "epsilon", "epsilon": "v", "v": "auto"}


def turn(draft: Draft, facts: ModelFacts) -> None:
    """Say the next thing: noise, v, or leave it to the file again."""
    said = _NEXT.get(str(draft.get("model.prediction", "auto")), "auto")
    draft.aside.setdefault(_ASIDE, {})[facts.base] = said
    draft.set("model.prediction", None if said == "auto" else said)


def take(draft: Draft, facts: ModelFacts) -> bool:
    """Bring back what was said of this model, and nothing that was said of another; tell whether that changed it.

    What was answered in another step stays: nobody has said here what it is about.
    """
    said = draft.aside.get(_ASIDE, {})
    present = draft.get("model.prediction", "auto")
    wanted = said.get(facts.base, "auto")
    if not said or present == wanted or facts.is_begun:
        return False
    draft.set("model.prediction", None if wanted == "auto" else wanted)
    return True
