"""Runs the trainer: `python -m trainer_core RUN_DIR`."""

from trainer_core.main import main

if __name__ == "__main__":
    main()
