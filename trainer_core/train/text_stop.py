"""The end of the text encoder's share in a training: from then on the U-Net learns alone."""

from trainer_core.train.job import Job, leave_the_device


def stop_text_encoder_if_due(job: Job) -> None:
    """Freeze the text encoder where `job.step` has reached its last step; nothing happens at other times.

    Its weights get no gradients any more, so that the optimizer passes them over, and its activations are not
    kept. It leaves the device where its output can be cached.
    """
    if not job.conditioning.trained or job.step < job.conditioning.trained_steps:
        return
    for group in job.groups:
        if group.component == "text_encoder":
            for parameter in group.parameters.values():
                parameter.requires_grad_(False)
    job.model.text_encoder.eval()
    job.conditioning.freeze()
    leave_the_device(job)
