"""The steps in their order, and which of them a setting is asked in."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from trainer_core.errors import ExitCode

if TYPE_CHECKING:
    from dbtui.wizard.step_screen import StepScreen


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, its word in the line of steps, and where its screen is (module and class)."""

    name: str
    word: str
    module: str
    screen: str

    def load(self) -> "type[StepScreen]":
        """Import the screen: only a step that is opened costs anything."""
        screen: type[StepScreen] = getattr(import_module(f"dbtui.wizard.steps.{self.module}"), self.screen)
        return screen


STEPS = (
    Step("goal", "goal", "goal", "GoalScreen"),
    Step("model", "model", "model", "ModelScreen"),
    Step("subject", "name", "subject", "SubjectScreen"),
    Step("pictures", "pictures", "pictures", "PicturesScreen"),
    Step("class_pictures", "class pictures", "class_pictures", "ClassPicturesScreen"),
    Step("hardware", "hardware", "hardware", "HardwareScreen"),
    Step("training", "training", "training", "TrainingScreen"),
    Step("review", "review", "review", "ReviewScreen"),
)
_BY_NAME = {step.name: step for step in STEPS}
_BY_CODE = {ExitCode.MODEL: "model", ExitCode.DATASET: "pictures"}
_BY_KEY = {
    "method.train": "goal",
    "method.captions": "goal",
    "model.base": "model",
    "model.vae": "model",
    "model.prediction": "model",
    "concept.identifier": "subject",
    "concept.class": "subject",
    "concept.instance_prompt": "subject",
    "concept.instance_dir": "pictures",
    "concept.repeats": "pictures",
    "concept.class_dir": "class_pictures",
    "concept.class_prompt": "class_pictures",
    "dataset.train_dir": "pictures",
    "dataset.reg_dir": "class_pictures",
}
_BY_TABLE = {"prior": "class_pictures"}


def step_named(name: str) -> Step:
    """Return the step of that name; the first one if there is none."""
    return _BY_NAME.get(name, STEPS[0])


def beside(name: str, by: int) -> Step | None:
    """Return the step `by` places after the named one, None beyond either end."""
    place = STEPS.index(step_named(name)) + by
    return STEPS[place] if 0 <= place < len(STEPS) else None


def step_of_key(key: str) -> Step:
    """Return the step in which a setting is asked; all of them can be reached in the training step."""
    return _BY_NAME[_BY_KEY.get(key) or _BY_TABLE.get(key.partition(".")[0], "training")]


def step_of_problem(key: str, code: ExitCode) -> Step:
    """Return the step that mends a problem: where its setting is asked, else what its exit code is about."""
    if key:
        return step_of_key(key)
    return _BY_NAME[_BY_CODE.get(code, "training")]
