"""What the demo writes before it trains: pictures in the real layout, a tiny model, and a run file."""

import sys
from importlib import resources
from pathlib import Path

from dbtui.demo.drawing import write_frogs
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

SUBJECT_PICTURES = 6
CLASS_PICTURES = 24


def write_demo_files(folder: Path) -> Path:
    """Write everything into `folder` and return the run file; what an earlier demo wrote is written again.

    Raises:
        UserError: it cannot be written (code DISK).
    """
    try:
        return _write(folder)
    except OSError as error:
        text = f"{safe_text(folder)}: the demo's files cannot be written ({error.strerror or error}): free some "
        raise UserError(f"{text}space, or name another folder with --runs-dir", ExitCode.DISK) from error


def _write(folder: Path) -> Path:
    from trainer_core.models.quiet import quiet_imports

    quiet_imports()
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    write_frogs(folder / "train" / "4_sls frog", SUBJECT_PICTURES, subject=True)
    write_frogs(folder / "reg" / "1_frog", CLASS_PICTURES, subject=False)
    save_model(build_tiny(), folder / "tiny-sd1", format="safetensors", precision="float", metadata={})
    run_file = folder / "demo.toml"
    run_file.write_bytes((resources.files("dbtui.demo") / "demo.toml").read_bytes())
    return run_file


if __name__ == "__main__":
    from dbtui.cli.endings import ended

    sys.exit(ended(lambda: 0 if write_demo_files(Path(sys.argv[1])) else 1))
