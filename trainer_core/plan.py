"""The preflight: every problem at once, and what a run will do, before anything is started. No torch."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from trainer_core.config.schema import Config
from trainer_core.data.balance import ClassBalance, balance_report, match_class_items
from trainer_core.data.buckets import Fit, fit_picture
from trainer_core.data.dataset import Item, Scan, Size
from trainer_core.data.order import TrainingOrder
from trainer_core.data.scan import raise_for_faults, scan_dataset
from trainer_core.disk import DiskNeed, disk_need
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.sniff import ModelInfo, sniff
from trainer_core.text import safe_text

DEFAULT_STEPS = 1600
STEPS_PER_PICTURE = 100
NATIVE_PICTURES = 100
"""The seed guides' advice: about 100 steps for each picture; native training wants hundreds of pictures."""

Result = TypeVar("Result")

_ORDER = [ExitCode.CONFIG, ExitCode.MODEL, ExitCode.DATASET, ExitCode.DISK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes:
        model: what the start model is; None if it cannot be used.
        scan: the dataset as read.
        items: every picture of an epoch with its part in it, class pictures matched.
        fits: for each item, how its picture becomes its bucket.
        order: the batches of every step; None without pictures.
        total_steps: optimizer steps in all.
        formula: how the total comes about, in words.
        disk: what will be written, against what is free; None without a model.
        notes: remarks and advice that stop nothing.
        errors: what keeps the run from starting.
    """

    model: ModelInfo | None
    scan: Scan
    balance: tuple[ClassBalance, ...]
    items: tuple[Item, ...]
    fits: tuple[Fit, ...]
    order: TrainingOrder
    total_steps: int
    formula: str
    disk: DiskNeed | None
    notes: tuple[str, ...]
    errors: tuple[UserError, ...]

    @property
    def epochs(self) -> float:
        """Passes over the data."""
        return self.total_steps / max(1, self.order.steps_per_epoch)

    @property
    def buckets(self) -> dict[Size, int]:
        """Different pictures in each bucket, sorted by size."""
        sizes = {item.picture.path: fit.bucket for item, fit in zip(self.items, self.fits, strict=True)}
        return dict(sorted(Counter(sizes.values()).items()))

    def raise_for_problems(self) -> None:
        """Raise one UserError with every problem; its exit code is the first problem's."""
        if self.errors:
            ordered = sorted(self.errors, key=lambda error: _ORDER.index(error.code))
            raise UserError([problem for error in ordered for problem in error.problems], ordered[0].code)


def make_plan(
    config: Config, runs_dir: Path, *, deep: bool = False, progress: Callable[[int, int], None] | None = None
) -> Plan:
    """Look at model, pictures and disk, and compute what the run will do; problems are collected, not raised.

    Args:
        config: a complete configuration with its bindings.
        runs_dir: where the run directory lies or will lie.
        deep: decode every picture instead of reading headers.
        progress: called with pictures done and pictures in all.
    """
    errors: list[UserError] = []
    model = _model(config, errors)
    scan = scan_dataset(config.dataset, config.concept, deep=deep, workers=config.train.workers, progress=progress)
    _collect(errors, lambda: raise_for_faults(scan, config.dataset.on_bad_image))
    items = match_class_items(scan)
    fits = _collect(errors, lambda: tuple(fit_picture(item.picture.size, config.dataset) for item in items)) or ()
    order = _order(config, items, fits)
    total_steps, formula = _steps(config, order)
    disk = disk_need(config, model, items, fits, order, total_steps, runs_dir) if model else None
    if disk:
        errors += [UserError(problem, ExitCode.DISK) for problem in disk.problems]
    return Plan(
        model=model,
        scan=scan,
        balance=balance_report(scan),
        items=items,
        fits=fits,
        order=order,
        total_steps=total_steps,
        formula=formula,
        disk=disk,
        notes=(*scan.notes, *_advice(config, scan, items, total_steps)),
        errors=tuple(errors),
    )


def _model(config: Config, errors: list[UserError]) -> ModelInfo | None:
    base, chosen = config.model.base, config.model
    if base is None:
        return None
    return _collect(errors, lambda: sniff(base, family=chosen.family, prediction=chosen.prediction))


def _collect(errors: list[UserError], action: Callable[[], Result]) -> Result | None:
    try:
        return action()
    except UserError as error:
        errors.append(error)
        return None


def _order(config: Config, items: tuple[Item, ...], fits: tuple[Fit, ...]) -> TrainingOrder:
    buckets: dict[Size, list[int]] = {}
    for index, (item, fit) in enumerate(zip(items, fits, strict=False)):
        buckets.setdefault(fit.bucket, []).extend([index] * item.repeats)
    return TrainingOrder(
        buckets=buckets,
        batch_size=config.train.batch_size,
        accumulation=config.train.gradient_accumulation,
        seed=config.train.seed,
    )


def _steps(config: Config, order: TrainingOrder) -> tuple[int, str]:
    count = sum(len(items) for items in order.buckets.values())
    parts = f"{count} pictures a pass / batches of {order.batch_size}"
    if order.accumulation > 1:
        parts += f" / {order.accumulation} accumulated"
    each_pass = f"{parts} = {order.steps_per_epoch} steps a pass"
    if config.train.epochs is not None:
        total = config.train.epochs * order.steps_per_epoch
        return total, f"{each_pass}; x {config.train.epochs} passes = {total} steps"
    total = config.train.max_steps or DEFAULT_STEPS
    passes = total / max(1, order.steps_per_epoch)
    return total, f"{each_pass}; {total} steps = {passes:.1f} passes"


def _advice(config: Config, scan: Scan, items: tuple[Item, ...], total_steps: int) -> list[str]:
    advice = []
    pictures = len({item.picture.path for item in items if not item.is_class})
    seen = total_steps * config.train.batch_size * config.train.gradient_accumulation
    of_subject = sum(item.repeats for item in items if not item.is_class)
    share = of_subject / max(1, sum(item.repeats for item in items))
    if pictures and scan.classes and not STEPS_PER_PICTURE / 4 <= seen * share / pictures <= STEPS_PER_PICTURE * 4:
        advice.append(
            f"each of the {pictures} pictures of the subject is seen {seen * share / pictures:.0f} times; about "
            f"{STEPS_PER_PICTURE} is usual, which would be {_usual_steps(config, pictures, share)} steps"
        )
    if pictures and not scan.classes and pictures < NATIVE_PICTURES:
        advice.append(
            f"there are no class pictures, so the whole class will look like the subject; training without them "
            f"wants hundreds of pictures, and these are {pictures}"
        )
    advice += [
        f'the prompt of {safe_text(folder.path.name)} is "{safe_text(folder.prompt)}" alone: add a class word, '
        "so that the model knows what kind of thing it is"
        for folder in scan.train
        if folder.identifier and folder.prompt == folder.identifier
    ]
    return advice


def _usual_steps(config: Config, pictures: int, share: float) -> int:
    per_step = config.train.batch_size * config.train.gradient_accumulation
    return round(STEPS_PER_PICTURE * pictures / max(share, 1e-9) / per_step)
