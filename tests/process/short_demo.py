"""`dbtui demo` with two large steps in place of all: `python short_demo.py RUNS_DIR`."""

import sys
from pathlib import Path

from dbtui.cli.demo import demo
from dbtui.demo import files

WHOLE = files._write
INSTEAD = {"max_steps": "2", "batch_size": "2", "steps": "2", "learning_rate": "1e-2", "warmup_steps": "0"}


def write_shorter(folder: Path, choices: files.DemoChoices) -> Path:
    run_file = WHOLE(folder, choices)
    lines = run_file.read_text(encoding="utf-8").splitlines()
    run_file.write_text("\n".join(map(shorter, lines)) + "\n", encoding="utf-8")
    return run_file


def shorter(line: str) -> str:
    """The line, with fewer and larger steps of the training, so that fp16 shows them, and fewer of the sampler."""
    name, _, _ = line.partition(" = ")
    return f"{name} = {INSTEAD[name]}" if name in INSTEAD else line


if __name__ == "__main__":
    files._write = write_shorter
    sys.exit(demo(runs_dir=Path(sys.argv[1])))
