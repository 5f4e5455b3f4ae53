"""Training against class pictures, as the trainer will find them: a scan of everything answered so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dbtui.wizard.answers import resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.pictures.found import Progress
from trainer_core.config.paths import PathError, resolve
from trainer_core.config.schema import Config
from trainer_core.data.balance import ClassBalance, balance_report, class_key
from trainer_core.data.class_folders import CLASS_UNKNOWN
from trainer_core.data.dataset import Fault, PictureFolder, Scan
from trainer_core.data.folders import CLASS_UNNAMED, find_sources
from trainer_core.data.scan import scan_dataset
from trainer_core.errors import UserError
from trainer_core.models.sniff import ModelInfo, sniff
from trainer_core.plan import drawing_of
from trainer_core.text import safe_text

NO_CLASS = (
    "Nothing can be drawn of a class that has no name: give it one in step 3 (f2, then 3), write the prompt of its"
    " pictures here, or choose another answer"
)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a scan found.

    Attributes:
        balances: training against class pictures, of each class that is trained.
        folders: of the training pictures.
        to_draw: for each class (by its key), how many of its pictures are still to be drawn.
        problems: what keeps the class pictures from being used, safe to show.
    """

    balances: tuple[ClassBalance, ...]
    folders: tuple[PictureFolder, ...]
    to_draw: dict[str, int]
    problems: tuple[str, ...]


def weigh(draft: Draft, runs_dir: Path, progress: Progress) -> Weighed:
    """Scan training and class pictures; pictures that will be drawn count as if they existed.

    Raises:
        UserError: an answer cannot be used.
        StoppedError: the scan was stopped.
    """
    config = resolved(draft)
    concepts = [each for each in config.concept if each.instance_dir or each.class_dir]
    scan = scan_dataset(
        config.dataset,
        concepts,
        method=config.method.captions,
        progress=progress.tell,
        drawing=drawing_of(config, _model(config), runs_dir),
    )
    trained = {class_key(folder.class_name) for folder in scan.train}
    to_draw: dict[str, int] = {}
    for each in scan.drawn:
        key = class_key(each.class_name)
        to_draw[key] = to_draw.get(key, 0) + len(each.missing)
    return Weighed(
        balances=tuple(each for each in balance_report(scan) if class_key(each.class_name) in trained),
        folders=scan.train,
        to_draw=to_draw,
        problems=tuple(_problems(scan, config)),
    )


def balancing(weighed: Weighed) -> dict[Path, int]:
    """Return for each training folder the repeats that balance its class, where it has others."""
    wanted = {class_key(each.class_name): each.balancing_repeats for each in weighed.balances}
    return {
        folder.path: repeats
        for folder in weighed.folders
        if (repeats := wanted.get(class_key(folder.class_name))) and repeats != folder.repeats
    }


def set_repeats(draft: Draft, wanted: dict[Path, int]) -> int:
    """Set the repeats of the concepts whose folders these are; return of how many."""
    done = 0
    for concept in draft.concepts:
        repeats = wanted.get(_whole(concept.get("instance_dir")))
        if repeats is not None:
            concept["repeats"] = repeats
            done += 1
    return done


def renames(weighed: Weighed, draft: Draft) -> list[tuple[str, str]]:
    """Return the names of folders that say how often their pictures count, each with the one that balances."""
    own = {_whole(concept.get("instance_dir")) for concept in draft.concepts}
    named = [folder for folder in weighed.folders if folder.path not in own]
    wanted = balancing(weighed)
    return [
        (safe_text(folder.path.name, 60), safe_text(f"{wanted[folder.path]}_{folder.prompt}", 60))
        for folder in named
        if folder.path in wanted
    ]


def _model(config: Config) -> ModelInfo | None:
    try:
        return sniff(config.model.base) if config.model.base else None
    except (UserError, OSError):  # told at the step of the model
        return None


def _whole(folder: object) -> Path:
    try:
        return Path(resolve(str(folder), "folder", Path.cwd())) if folder else Path()
    except PathError:
        return Path()


def _problems(scan: Scan, config: Config) -> Iterable[str]:
    """Tell what is wrong with class pictures; the step before told the rest."""
    bad = () if config.dataset.on_bad_image == "skip" else scan.bad_images
    others = {(each.path, each.text) for each in _without_class(config)}
    for fault in (*scan.faults, *bad):
        if fault.text == CLASS_UNKNOWN:
            yield NO_CLASS
        elif fault.text == CLASS_UNNAMED:
            yield "The class of these pictures has no name: give it one in step 3 (f2, then 3)"
        elif (fault.path, fault.text) not in others and not _is_of_subject(fault, scan):
            yield f"{safe_text(fault.path, 200)} {safe_text(fault.text, 600)}"


def _without_class(config: Config) -> list[Fault]:
    dataset = config.dataset.model_copy(update={"reg_dir": None})
    concepts = [each.model_copy(update={"class_dir": None}) for each in config.concept if each.instance_dir]
    return find_sources(dataset, concepts, None, config.method.captions).faults


def _is_of_subject(fault: Fault, scan: Scan) -> bool:
    """Whether it lies in a folder of training pictures."""
    if any(fault.path.is_relative_to(each.path) for each in scan.classes):
        return False
    return any(fault.path.is_relative_to(folder.path) for folder in scan.train)
