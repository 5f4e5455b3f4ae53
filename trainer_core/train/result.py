"""The result of a training as files: the model, or the LoRA, as it is now."""

from pathlib import Path

from trainer_core.models.lora.file import save_lora
from trainer_core.models.save import SavedModel, save_model
from trainer_core.saves import own_precisions
from trainer_core.train.job import Job
from trainer_core.train.metadata import model_metadata


def save_result(job: Job, target_stem: Path) -> SavedModel:
    """Write what `job` has trained to `target_stem` plus the format's ending, read back and verified.

    Raises:
        UserError: it cannot be written (code DISK), or a weight is not finite (code NON_FINITE).
    """
    save, metadata = job.config.save, model_metadata(job, target_stem.name)
    if job.adapters is not None:
        return save_lora(job.adapters, target_stem, precision=save.precision, metadata=metadata)
    return save_model(
        job.model,
        target_stem,
        format=save.format,
        precision=save.precision,
        metadata=metadata,
        own_precisions=own_precisions(save),
    )
