"""The screens that are no steps: home, monitor, presets, models, generate, doctor."""
