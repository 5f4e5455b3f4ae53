"""The preflight: every problem at once, and what a run will do, before anything is started. No torch."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from trainer_core.advice import advice
from trainer_core.config.schema import Config
from trainer_core.data.balance import ClassBalance, balance_report, match_class_items
from trainer_core.data.buckets import Fit, fit_picture
from trainer_core.data.class_images import Drawing
from trainer_core.data.dataset import Item, Scan, Size
from trainer_core.data.listing import counted
from trainer_core.data.order import TrainingOrder
from trainer_core.data.scan import left_out, raise_for_faults, scan_dataset
from trainer_core.disk import DiskNeed, disk_need
from trainer_core.errors import ExitCode, UserError
from trainer_core.lasting import fleeting
from trainer_core.models.fingerprint import fingerprint
from trainer_core.models.lora.inspect import check_lora_file
from trainer_core.models.preflight import check_model
from trainer_core.models.sniff import ModelInfo
from trainer_core.on_disk import exists, is_folder
from trainer_core.remarks import remarks
from trainer_core.run.directory import shared_cache
from trainer_core.saves import Saves, planned_saves
from trainer_core.services import service_problems
from trainer_core.text import safe_text
from trainer_core.too_late import too_late
from trainer_core.v_only import problems_without_v

DEFAULT_STEPS = 1600

Result = TypeVar("Result")

_ORDER = [ExitCode.CONFIG, ExitCode.MODEL, ExitCode.DATASET, ExitCode.DISK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes:
        model: what the start model is; None if it cannot be used.
        scan: the dataset as read.
        balance: training against class pictures, for each class.
        items: every picture of an epoch with its part in it, class pictures matched.
        fits: for each item, how its picture becomes its bucket.
        order: the batches of every step; it has none without pictures.
        total_steps: optimizer steps in all.
        formula: how the total comes about, in words.
        saves: the models it writes.
        disk: what will be written, against what is free.
        notes: remarks and advice that stop nothing.
        errors: what keeps the run from starting, in the order of their importance.
    """

    model: ModelInfo | None
    scan: Scan
    balance: tuple[ClassBalance, ...]
    items: tuple[Item, ...]
    fits: tuple[Fit, ...]
    order: TrainingOrder
    total_steps: int
    formula: str
    saves: Saves
    disk: DiskNeed
    notes: tuple[str, ...]
    errors: tuple[UserError, ...]

    @property
    def epochs(self) -> float:
        """Passes over the data."""
        return self.total_steps / max(1, self.order.steps_per_epoch)

    @property
    def buckets(self) -> dict[Size, int]:
        """Different pictures in each bucket, sorted by size."""
        sizes = {item.picture.path: fit.bucket for item, fit in zip(self.items, self.fits, strict=False)}
        return dict(sorted(Counter(sizes.values()).items()))

    def raise_for_problems(self) -> None:
        """Raise one UserError with every problem; its exit code is the first problem's."""
        if self.errors:
            problems = [problem for error in self.errors for problem in error.problems]
            raise UserError(problems, self.errors[0].code)


def make_plan(
    config: Config,
    runs_dir: Path,
    *,
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
    run_dir: Path | None = None,
) -> Plan:
    """Look at model, pictures and disk, and compute what the run will do; problems are collected, not raised.

    Args:
        config: a complete configuration with its bindings.
        runs_dir: where the run directory lies or will lie.
        deep: decode every picture instead of reading headers.
        progress: called with pictures done and pictures in all.
        run_dir: the folder of a run that is resumed; what lies in it needs no further room.
    """
    model, errors = check_model(config.model)
    errors += _check_lora(config, model)
    errors += service_problems(config)
    if model and (problems := problems_without_v(config.loss, model.prediction)):
        errors.append(UserError(problems, ExitCode.CONFIG))
    scan = scan_dataset(
        config.dataset,
        config.concept,
        method=config.method.captions,
        deep=deep,
        workers=config.train.workers,
        progress=progress,
        drawing=drawing_of(config, model, runs_dir),
    )
    _collect(errors, lambda: raise_for_faults(scan, config.dataset.on_bad_image))
    items = match_class_items(scan)
    fits = _collect(errors, lambda: tuple(fit_picture(item.picture.size, config.dataset) for item in items)) or ()
    order = training_order(config, items, fits)
    total_steps, formula = training_steps(config, order)
    saves = planned_saves(config, model, order, total_steps)
    disk = disk_need(config, model, items, fits, saves, runs_dir, present=_present(run_dir), drawn=scan.drawn)
    if disk.problems:
        errors.append(UserError(disk.problems, ExitCode.DISK))
    return Plan(
        model=model,
        scan=scan,
        balance=balance_report(scan),
        items=items,
        fits=fits,
        order=order,
        total_steps=total_steps,
        formula=formula,
        saves=saves,
        disk=disk,
        notes=(
            *_notes(config, model, saves),
            *_lost_later(config, runs_dir),
            *remarks(config, model, items),
            *too_late(config, order.steps_per_epoch, total_steps),
            *left_out(scan, config.dataset.on_bad_image),
            *scan.notes,
            *advice(scan, items, order, total_steps, config.method.captions),
        ),
        errors=tuple(sorted(errors, key=lambda error: _ORDER.index(error.code))),
    )


def drawing_of(config: Config, model: ModelInfo | None, runs_dir: Path) -> Drawing:
    """Return what class pictures are drawn with, and where."""
    mark = ""
    if model and config.prior.num_class_images is not None:
        with suppress(OSError):  # a model that cannot be read fails when it is loaded
            mark = fingerprint(config.model, model)
    cache = shared_cache(runs_dir) / "class_images"
    return Drawing(prior=config.prior, size=config.dataset.resolution, model=mark, cache=cache)


def _check_lora(config: Config, model: ModelInfo | None) -> list[UserError]:
    if config.method.train != "lora" or config.network.init_from is None:
        return []
    return check_lora_file(Path(config.network.init_from), model, text_encoder=config.text_encoder.train)


def _collect(errors: list[UserError], action: Callable[[], Result]) -> Result | None:
    try:
        return action()
    except UserError as error:
        errors.append(error)
        return None


def training_order(config: Config, items: tuple[Item, ...], fits: tuple[Fit, ...]) -> TrainingOrder:
    """Return the batches of every step."""
    buckets: dict[Size, list[int]] = {}
    for index, (item, fit) in enumerate(zip(items, fits, strict=False)):
        buckets.setdefault(fit.bucket, []).extend([index] * item.repeats)
    return TrainingOrder(
        buckets=buckets,
        batch_size=config.train.batch_size,
        accumulation=config.train.gradient_accumulation,
        seed=config.train.seed,
    )


def training_steps(config: Config, order: TrainingOrder) -> tuple[int, str]:
    """Return the steps in all, and the formula: pictures / batch / accumulation = steps a pass, and passes."""
    if not order.steps_per_epoch:
        return (0 if config.train.epochs else config.train.max_steps or DEFAULT_STEPS), "no pictures to train on"
    if config.train.epochs is not None:
        total = config.train.epochs * order.steps_per_epoch
        return total, f"{_each_pass(order)}; x {config.train.epochs} passes = {counted(total, 'step')}"
    total = config.train.max_steps or DEFAULT_STEPS
    passes = f"{total / order.steps_per_epoch:.1f} passes"
    return total, f"{_each_pass(order)}; {counted(total, 'step')} = {passes}"


def _each_pass(order: TrainingOrder) -> str:
    count = sum(len(items) for items in order.buckets.values())
    words = f"{counted(count, 'picture')} a pass"
    if order.batch_size > 1:
        exact = order.batches_per_epoch * order.batch_size == count
        where = f" in each of {len(order.buckets)} sizes" if len(order.buckets) > 1 else ""
        words += f" / batches of {order.batch_size}" + ("" if exact else f" (rounded up{where})")
    if order.accumulation > 1:
        exact = order.batches_per_epoch % order.accumulation == 0
        words += f" / {order.accumulation} accumulated" + ("" if exact else " (rounded up)")
    return f"{words} = {counted(order.steps_per_epoch, 'step')}"


def _notes(config: Config, model: ModelInfo | None, saves: Saves) -> list[str]:
    notes = []
    if config.save.output_dir and exists(target := Path(config.save.output_dir) / saves.final):
        notes.append(
            f"{safe_text(target)} exists already and will be replaced; save.output_name gives another name"
        )
    if model and model.is_hub_id:
        notes.append(
            f"{safe_text(model.base)} is taken from the Hub (or its cache) when the run starts; until then its "
            "kind and size are not known, and the disk that it and the models made of it need is not counted"
        )
    if model and model.prediction_from == "a guess":
        notes.append(
            f"{safe_text(model.base)} does not say what it predicts; {model.prediction} is a guess, and "
            "model.prediction settles it"
        )
    if model and model.overruled:
        notes.append(
            f'model.prediction is "{model.prediction}", and {safe_text(model.base)} says otherwise by '
            f"{model.overruled}; trained for what it does not predict, a model is ruined"
        )
    if model and model.has_ema:
        notes.append(f"the averaged (EMA) weights in {safe_text(model.base)} are not used and not kept")
    return notes


def _lost_later(config: Config, runs_dir: Path) -> list[str]:
    places = [(runs_dir, "--runs-dir")]
    if config.save.output_dir:
        places.append((Path(config.save.output_dir), "save.output_dir"))
    return [each.sentence for each in fleeting(places)]


def _present(run_dir: Path | None) -> int:
    if run_dir is None or not is_folder(run_dir):
        return 0
    return sum(file.stat().st_size for file in run_dir.rglob("*") if file.is_file() and not file.is_symlink())
