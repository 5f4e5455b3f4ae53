"""What the screens say of a model. All texts are plain: names and errors came from outside."""

from rich.text import Text

from dbtui.wizard.models.facts import ModelFacts, fact_lines, remarks
from dbtui.wizard.models.search import ListedModel
from trainer_core.text import safe_text


def facts_text(facts: ModelFacts | None) -> Text:
    """Say what the named model is, or why it cannot be trained; nothing while that is being found out."""
    if facts is None:
        return Text()
    if facts.info is None:
        if facts.is_begun:
            return Text("  there is no model here yet", "dim")
        return Text("\n".join(f"{facts.sign} {problem}" for problem in facts.problems))
    kind, form = fact_lines(facts)
    return Text("\n".join([f"{facts.sign} {kind}", f"  {form}", *(f"! {remark}" for remark in remarks(facts))]))


def about_model(model: ListedModel, *, carries: bool = False) -> Text:
    """Say everything about a model of the list; `carries` tells whether the settings that made it are in it."""
    text = Text(safe_text(model.known.name), style="bold")
    if model.known.where:
        text.append(f"\n{safe_text(model.known.where)}", style="not bold")
    owner = (
        f"{model.known.owner}, used before"
        if model.was_used and model.known.owner != "used before"
        else model.known.owner
    )
    text.append(f"\n({owner})", style="not bold dim")
    lines = [model.trouble] if not model.is_usable else [*fact_lines(model.facts), *remarks(model.facts)]
    for line in lines:
        text.append(f"\n\n{line}", style="not bold")
    if carries:
        text.append("\n\nf  a new run with the settings that made it", style="not bold")
    return text
