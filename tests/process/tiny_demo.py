"""The demo's files with a tiny model of random weights, for tests of the trainer."""

from pathlib import Path

from dbtui.demo.files import MODEL_FILE, write_demo_files


def write_tiny_demo(folder: Path) -> Path:
    """Write them into `folder` and return the run file."""
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    run_file = write_demo_files(folder)
    target = folder / MODEL_FILE.removesuffix(".safetensors")
    save_model(build_tiny(), target, format="safetensors", precision="float", metadata={})
    return run_file
