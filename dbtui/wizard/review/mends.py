"""What is wrong, and the step that mends it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbtui.wizard.answers import SOURCE, Problem, problems_of
from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures.caption_edits import edits
from dbtui.wizard.steps.order import Step, step_of_problem
from dbtui.wizard.training.draft_form import form_of, invalid_texts
from trainer_core.data.dataset import Scan
from trainer_core.data.listing import counted
from trainer_core.errors import ExitCode, UserError


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that is wrong: the words, the setting that they are about ("" if none), and the step to go to."""

    text: str
    key: str
    step: Step


def unanswered(draft: Draft) -> Iterator[Mend]:
    """Yield the questions without which there is no run."""
    if not draft.get("model.base"):
        yield _mend("there is no base model yet: choose the one to start from", "model.base")
    if draft.get("dataset.train_dir"):
        return
    concepts = draft.get("concept") or []
    lacking = [place for place, concept in enumerate(concepts, 1) if not concept.get("instance_dir")]
    if len(lacking) == len(concepts):
        yield _mend("there are no pictures yet: choose their folder", "concept.instance_dir")
    else:
        for place in lacking:
            yield _mend(f"subject {place} has no folder of pictures yet: choose one", "concept.instance_dir")


def no_values(draft: Draft) -> Iterator[Mend]:
    """Yield what was typed and is no value: another value holds meanwhile, which nobody may have meant."""
    for problem in invalid_texts(form_of(draft)):
        yield _of_problem(problem, ExitCode.CONFIG)


def unwritten_captions(draft: Draft, scan: Scan) -> Iterator[Mend]:
    """Yield that captions were edited which the training would not see, and a started run would not keep."""
    folders = (*scan.train, *scan.classes)
    trained = {picture.path for folder in folders for picture in folder.pictures}
    if unwritten := len(trained & edits(draft).keys()):
        words = f"{counted(unwritten, 'edited caption')} not in the files yet: write them with w there"
        yield _mend(words, "concept.instance_dir")


def mends_of(errors: Iterable[UserError]) -> Iterator[Mend]:
    """Yield what is wrong in the order of the errors, each problem once."""
    seen = set()
    for error in errors:
        for problem in problems_of(error):
            if problem.text not in seen:
                seen.add(problem.text)
                yield _of_problem(problem, error.code)


def _of_problem(problem: Problem, code: ExitCode) -> Mend:
    text = problem.text.removeprefix(f"{SOURCE}: ")
    return Mend(text, problem.key, step_of_problem(problem.key, code))


def _mend(text: str, key: str) -> Mend:
    return _of_problem(Problem(text, key), ExitCode.CONFIG)
