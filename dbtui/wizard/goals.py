"""What a goal means: which answers it gives, in words for people, and what it takes back from another choice."""

from dataclasses import dataclass
from typing import Literal

from dbtui.wizard.draft import Draft, Goal

Captions = Literal["dreambooth", "finetune", "hybrid"]
Train = Literal["full", "lora"]
_CAPTIONS = "captions of goals"
_KINDS = "answers of full and lora"
_PER_KIND = ("optimizer.learning_rate", "text_encoder.learning_rate")
"""What is right for a whole model is wrong for a LoRA by a factor of a hundred."""


@dataclass(frozen=True, slots=True)
class GoalFacts:
    """A goal as it is offered.

    Attributes:
        captions: the answer to method.captions.
        title: its name.
        means: what is learned, in a line.
        needs: what the person has to bring and what it costs, in a line.
        writes: what will be written later to get it.
        why: for the side panel: why this goal is trained this way.
    """

    captions: Captions
    title: str
    means: str
    needs: str
    writes: str
    why: str


GOAL_FACTS: dict[Goal, GoalFacts] = {
    "thing": GoalFacts(
        "dreambooth",
        "A person or object",
        "One subject, seen from many sides, is tied to a new word.",
        "10 to 40 pictures, and class pictures, which double the work.",
        "a photo of sls frog in the snow",
        "A few pictures are enough, because a rare word is given a new meaning. Pictures of the class (other "
        "frogs, drawn by the model itself if you have none) keep it from turning every frog into yours.",
    ),
    "character": GoalFacts(
        "hybrid",
        "A character",
        "A figure in many scenes: the word is the figure, captions say the rest.",
        "20 pictures or more, best with captions; class pictures if you like.",
        "sls reading on a train",
        "What a caption names (clothes, place, light) can be changed later; what it leaves out becomes part of "
        "the word. The word is put into every caption; a picture without one is trained with word and class.",
    ),
    "style": GoalFacts(
        "hybrid",
        "A style",
        "How pictures are made, whatever they show, is tied to a new word.",
        "100 pictures or more, best with captions; no class pictures needed.",
        "a castle on a hill, by sls",
        'A style is called by "by" and its word. Captions say what each picture shows, so that only the way it '
        "is made is left for the word. Take pictures that have nothing else in common.",
    ),
    "dataset": GoalFacts(
        "finetune",
        "A captioned dataset",
        "The model learns what your captions say; there is no new word.",
        "Hundreds of pictures, each with a caption; no class pictures.",
        "any words of your captions",
        "Every picture is trained with its caption and nothing else, so the captions decide what is learned. A "
        "picture without a caption is an error that names it.",
    ),
}


def choose_goal(draft: Draft, goal: Goal) -> None:
    """Take a goal and the answer that it gives; what was answered otherwise for the former one waits for it."""
    captions = draft.get("method.captions")
    if goal == draft.goal and captions:
        return
    waiting = draft.aside.setdefault(_CAPTIONS, {})
    if captions:
        waiting[draft.goal] = captions
    draft.goal = goal
    draft.set("method.captions", waiting.get(goal, GOAL_FACTS[goal].captions))


def choose_train(draft: Draft, train: Train) -> None:
    """Take a whole model or a LoRA; preset and learning rates of the other kind wait until that is chosen."""
    before: Train = "lora" if draft.is_lora else "full"
    draft.set("method.train", train)
    if train == before:
        return
    waiting = draft.aside.setdefault(_KINDS, {})
    waiting[before] = {"preset": draft.preset, **{key: draft.get(key) for key in _PER_KIND}}
    answers = waiting.get(train, {})
    draft.preset = str(answers.get("preset") or "")
    for key in _PER_KIND:
        draft.set(key, answers.get(key))
