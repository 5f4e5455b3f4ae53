"""What a trained model says about itself: an allow-list of facts, never a path, host or secret."""

from datetime import UTC, datetime

from trainer_core import __version__
from trainer_core.train.job import Job


def model_metadata(job: Job, title: str) -> dict[str, str]:
    """Return safetensors metadata: what `save_model` cannot know of modelspec, and the field's `ss_` keys."""
    config, order = job.config, job.samples.order
    width, height = config.dataset.resolution
    return {
        "modelspec.title": title,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": f"{width}x{height}",
        "ss_output_name": title,
        "ss_steps": str(job.step),
        "ss_epoch": str(job.epoch),
        "ss_max_train_steps": str(job.samples.total_steps),
        "ss_num_batches_per_epoch": str(order.batches_per_epoch),
        "ss_total_batch_size": str(order.batch_size * order.accumulation),
        "ss_learning_rate": f"{config.optimizer.learning_rate:g}",
        "ss_lr_scheduler": config.scheduler.type,
        "ss_optimizer": config.optimizer.type,
        "ss_mixed_precision": config.memory.mixed_precision,
        "ss_prior_loss_weight": f"{config.prior.weight:g}",
        "ss_seed": str(config.train.seed),
        "dbtui.version": __version__,
    }
