"""What `dbtui run` does once the run is prepared, with the fake trainer: launch it and watch it."""

import sys
from pathlib import Path

from dbtui.dashboard.interrupts import Interrupts
from dbtui.dashboard.viewer import watch_started
from dbtui.runs.launch import launch
from trainer_core.run.directory import RunDirectory

if __name__ == "__main__":
    fake = str(Path(__file__).with_name("fake_trainer.py"))
    with Interrupts() as interrupts:
        process = launch(RunDirectory(Path(sys.argv[1])), [sys.executable, fake, *sys.argv[2:]])
        sys.exit(watch_started(process, interrupts))
