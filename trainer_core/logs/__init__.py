"""Logs for other programs: TensorBoard and Weights & Biases, written from the trainer's events."""
