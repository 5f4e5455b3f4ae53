"""The result of a training as files: the model as it is now."""

from pathlib import Path

from trainer_core.models.save import SavedModel, save_model
from trainer_core.train.job import Job
from trainer_core.train.metadata import model_metadata


def save_result(job: Job, target_stem: Path) -> SavedModel:
    """Write what `job` has trained to `target_stem` plus the format's ending, read back and verified.

    Raises:
        UserError: it cannot be written (code DISK), or a weight is not finite (code NON_FINITE).
    """
    save, metadata = job.config.save, model_metadata(job, target_stem.name)
    return save_model(job.model, target_stem, format=save.format, precision=save.precision, metadata=metadata)
