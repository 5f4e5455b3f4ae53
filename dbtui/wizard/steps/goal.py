"""Step 1: what is to be learned, and whether a whole model or a LoRA comes out of it."""

from typing import cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Label, Static

from dbtui.wizard.draft import Goal
from dbtui.wizard.goals import GOAL_FACTS, Train, choose_goal, choose_train
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.step_screen import StepScreen, id_of
from dbtui.wizard.widgets.choices import Choice, Choices

_TRAINS: dict[Train, tuple[str, str]] = {
    "full": ("Full model", "A model of its own: learns most."),
    "lora": ("LoRA", "A small file used beside a model."),
}


class GoalScreen(StepScreen):
    """Two questions, each with the usual answer chosen."""

    NAME = "goal"
    CSS_PATH = "goal.tcss"
    HELP = """\
# What do you want to teach the model?

**A person or object**: one subject. A rare word gets a new meaning from a few pictures; pictures of the class
keep the rest of the class as it was. This is DreamBooth.

**A character**: a figure in many scenes. Captions say what may change; the word is put into each of them.

**A style**: how pictures are made. It is called with "by" and its word.

**A captioned dataset**: many pictures, each with a caption. There is no new word. This is fine-tuning.

The answer sets `method.captions`; everything can be changed later, and going back loses nothing.

## Full model or LoRA?

A **full model** changes every weight: the closest likeness, and some gigabytes for each training.
A **LoRA** leaves the model as it is and learns a small file, used beside it or any model of its kind. It takes
less memory and disk, and learns a little less.

*GPU*: memory that the graphics card must have free, as predicted, from the smallest preset to the best; the
hardware step has each. *disk*: the result at its largest, and the states from which a training goes on after a
stop. *time*: how many pictures the model is shown; how long each takes depends on the card.
"""

    def body(self) -> ComposeResult:
        """Ask for the goal, then for the kind of result."""
        yield Label("What do you want to teach the model?", classes="question -first")
        goals = [Choice(goal, facts.title, (facts.means, facts.needs)) for goal, facts in GOAL_FACTS.items()]
        yield Choices(goals, chosen=self.draft.goal, id=id_of("method.captions"))
        yield Label("What shall come out of it?", classes="question")
        chosen = "lora" if self.draft.is_lora else "full"
        yield Choices(_trains({}), chosen=chosen, beside=True, id=id_of("method.train"))

    def side(self) -> ComposeResult:
        """Say more about the chosen goal."""
        yield Static(_more(self.draft.goal), id="more", markup=False)

    def on_mount(self) -> None:
        """Add the costs, which are computed."""
        self._find_costs()

    @work(exclusive=True, group="costs", exit_on_error=False)
    async def _find_costs(self) -> None:
        lines = await in_thread(_cost_lines)
        await self.query_one(f"#{id_of('method.train')}", Choices).show(_trains(lines))

    @on(Choices.Changed, f"#{id_of('method.captions')}")
    def _goal_changed(self, event: Choices.Changed) -> None:
        choose_goal(self.draft, cast("Goal", event.value))
        self.query_one("#more", Static).update(_more(self.draft.goal))
        self.changed()

    @on(Choices.Changed, f"#{id_of('method.train')}")
    def _train_changed(self, event: Choices.Changed) -> None:
        choose_train(self.draft, cast("Train", event.value))
        self.changed()

    def action_next(self) -> None:
        """Keep the usual answers too, where the person agreed with them."""
        choose_goal(self.draft, self.draft.goal)
        choose_train(self.draft, "lora" if self.draft.is_lora else "full")
        self.changed()
        super().action_next()


def _trains(costs: dict[Train, tuple[str, ...]]) -> list[Choice]:
    return [
        Choice(train, title, (means, *costs.get(train, ("", "", "")))) for train, (title, means) in _TRAINS.items()
    ]


def _cost_lines() -> dict[Train, tuple[str, ...]]:
    from dbtui.wizard.costs import costs

    return {train: found.lines() for train in _TRAINS if (found := costs(train))}


def _more(goal: Goal) -> Text:
    facts = GOAL_FACTS[goal]
    text = Text(facts.title, style="bold")
    text.append(f"\n\n{facts.why}", style="not bold")
    text.append("\n\nLater you write\n", style="not bold")
    return text.append(f"  {facts.writes}")
