"""What the demo writes before it trains: pictures in the real layout, a small model that draws, and a run file."""

import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dbtui.demo.world.subject import CLASS, IDENTIFIER
from dbtui.demo.world.write import write_frogs
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

SUBJECT_PICTURES = 6
CLASS_PICTURES = 24
MODEL_FILE = "demo-model.safetensors"


@dataclass(frozen=True, slots=True)
class DemoChoices:
    """What can be chosen of the demo: a LoRA in place of the whole model, and training without class pictures."""

    lora: bool = False
    prior: bool = True


def write_demo_files(folder: Path, choices: DemoChoices | None = None) -> Path:
    """Write everything into `folder` and return the run file; what an earlier demo wrote is written again.

    Raises:
        UserError: it cannot be written (code DISK).
    """
    try:
        return _write(folder, choices or DemoChoices())
    except OSError as error:
        text = f"{safe_text(folder)}: the demo's files cannot be written ({error.strerror or error}): free some "
        raise UserError(f"{text}space, or name another folder with --runs-dir", ExitCode.DISK) from error


def _write(folder: Path, choices: DemoChoices) -> Path:
    write_frogs(folder / "train" / f"4_{IDENTIFIER} {CLASS}", SUBJECT_PICTURES, subject=True)
    write_frogs(folder / "reg" / f"1_{CLASS}", CLASS_PICTURES, subject=False)
    shipped = resources.files("dbtui.demo")
    with resources.as_file(shipped / "model" / MODEL_FILE) as model:
        shutil.copyfile(model, folder / MODEL_FILE)
    run_file = folder / "demo.toml"
    text = (shipped / ("lora.toml" if choices.lora else "demo.toml")).read_text(encoding="utf-8")
    run_file.write_text(text if choices.prior else _without_class_pictures(text), encoding="utf-8")
    return run_file


def _without_class_pictures(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("reg_dir"))
