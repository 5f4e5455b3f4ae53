"""Training: the loop, loss, optimizers, precision, schedules, previews, state."""
