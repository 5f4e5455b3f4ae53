"""Writes tests/trainer/golden_losses.json anew, as the tests define it; only for a change that is meant."""

import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "tests" / "trainer" / "golden_losses.json"

COLLECT = """
import json
def test_collect(make_job, run_job):
    jobs = {name: make_variant(make_job, name) for name in VARIANTS}
    losses = {name: [report.loss for report in run_job(job)] for name, job in jobs.items()}
    GOLDEN.write_text(json.dumps(losses, indent=1) + "\\n")
"""


def main() -> None:
    """Run the losses of each variant through pytest's fixtures and store them."""
    source = GOLDEN.with_name("test_reference.py")
    temporary = GOLDEN.with_name("test_golden_collect.py")
    temporary.write_text(source.read_text() + COLLECT)
    try:
        command = [sys.executable, "-m", "pytest", str(temporary), "-k", "test_collect"]
        subprocess.run(command, check=True)
    finally:
        temporary.unlink()


if __name__ == "__main__":
    main()
