"""Counts how long a training is: the pictures once, the steps for every change of a setting. For a worker."""

from pathlib import Path

from dbtui.wizard.training.length import NO_PICTURES, UNKNOWN, Length
from trainer_core.config.schema import Config
from trainer_core.data.balance import match_class_items
from trainer_core.data.buckets import fit_picture
from trainer_core.data.class_images import Drawing
from trainer_core.data.dataset import Scan
from trainer_core.data.scan import scan_dataset
from trainer_core.errors import UserError
from trainer_core.plan import training_order, training_steps
from trainer_core.run.directory import shared_cache


class Lengths:
    """Computes lengths; the pictures are read again only where a setting decides otherwise which there are."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._last: tuple[str, Scan] | None = None

    def of(self, config: Config | None) -> Length:
        """Return the length of a run; reads the disk. None stands for answers that mean nothing yet."""
        if config is None:
            return Length(0, 0, UNKNOWN)
        if not has_pictures(config):
            return Length(training_steps(config, training_order(config, (), ()))[0], 0, NO_PICTURES)
        items = match_class_items(self.scan(config))
        try:
            fits = tuple(fit_picture(item.picture.size, config.dataset) for item in items)
        except UserError as error:
            return Length(0, 0, error.problems[0])
        order = training_order(config, items, fits)
        steps, words = training_steps(config, order)
        return Length(steps, order.steps_per_epoch, words)

    def scan(self, config: Config) -> Scan:
        """Return the pictures as they were found, by their headers."""
        parts = (config.dataset, config.prior, config.method, *config.concept)
        key = "\n".join(part.model_dump_json() for part in parts)
        if self._last is None or self._last[0] != key:
            self._last = (key, _scan(config, self._runs_dir))
        return self._last[1]


def has_pictures(config: Config) -> bool:
    """Whether it says where pictures are."""
    return bool(config.dataset.train_dir or any(concept.instance_dir for concept in config.concept))


def _scan(config: Config, runs_dir: Path) -> Scan:
    cache = shared_cache(runs_dir) / "class_images"
    return scan_dataset(
        config.dataset,
        config.concept,
        method=config.method.captions,
        workers=config.train.workers,
        drawing=Drawing(prior=config.prior, size=config.dataset.resolution, model="", cache=cache),
    )
