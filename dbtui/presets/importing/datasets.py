"""sd-scripts' file of datasets (`--dataset_config`): its folders with what holds for each, as options."""

from collections.abc import Iterator, Mapping
from typing import Any

from dbtui.presets.importing.command import Command, Given, as_words
from dbtui.presets.importing.peers.datasets import NAME
from trainer_core.errors import ExitCode, UserError

_Table = dict[str, Any]
_ALONE = "a file of datasets holds [general] and [[datasets]] alone"
_PAIRED = (
    "regularization subsets went to the first folders of pictures, in order; look at class_dir in the run file"
)
_ONE_EACH = "class pictures belong to one folder each here, class_dir, and every folder has its own already"


def command_line(read: Mapping[str, Any]) -> Command:
    """Return the subsets as entries of one option; what they leave open, their dataset and `general` say.

    Raises:
        UserError: there are none.
    """
    subsets = list(_subsets(read))
    subjects = [subset for subset in subsets if subset.get("is_reg") is not True]
    if not subjects:
        raise UserError("the file of datasets names no folder of pictures", ExitCode.CONFIG)
    ignored = [
        (_given(name, value), _ALONE) for name, value in read.items() if name not in ("general", "datasets")
    ]
    regularization = [subset for subset in subsets if subset.get("is_reg") is True]
    for number, subset in enumerate(regularization):
        if number >= len(subjects):
            ignored.append((_given("image_dir", subset.get("image_dir")), _ONE_EACH))
            continue
        subjects[number] |= {"class_dir": subset.get("image_dir"), "class_prompt": subset.get("class_tokens")}
        if subset.get("num_repeats", 1) != 1:
            reason = "class pictures come as often as the pictures of the subject need them"
            ignored.append((_given("num_repeats", subset["num_repeats"]), reason))
    defaults: dict[str, Any] = {}
    if not regularization and not any(subset.get("class_tokens") for subset in subjects):
        defaults["method.captions"] = "finetune"
    entries = [[_given(name, value) for name, value in subset.items()] for subset in subjects]
    notes = [_PAIRED] if regularization and len(subjects) > 1 else []
    return Command(NAME, [], [Given("subsets", [], [], "", entries=entries)], [], ignored, defaults, notes)


def _subsets(read: Mapping[str, Any]) -> Iterator[_Table]:
    general = _table(read.get("general"))
    for dataset in _tables(read.get("datasets")):
        shared = {**general, **{name: value for name, value in dataset.items() if name != "subsets"}}
        for subset in _tables(dataset.get("subsets")):
            yield {**shared, **subset}


def _tables(value: Any) -> list[_Table]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _table(value: Any) -> _Table:
    return value if isinstance(value, dict) else {}


def _given(name: str, value: Any) -> Given:
    return Given(name, [",".join(as_words(value))], [], "")
