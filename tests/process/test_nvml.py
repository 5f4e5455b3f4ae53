"""A graphics driver that is missing, does not fit, or hangs, as a real shared library under NVIDIA's name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANGS = """
#include <unistd.h>
int nvmlInit_v2(void) { for (;;) pause(); }
int nvmlInitWithFlags(unsigned f) { for (;;) pause(); }
"""
MISMATCH = "int nvmlInit_v2(void) { return 18; }\nint nvmlInitWithFlags(unsigned f) { return 18; }\n"
ANSWERS = """
#include <string.h>
#include <unistd.h>
struct load { unsigned gpu, memory; };
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **handle) { *handle = (void *) 1; return 0; }
int nvmlDeviceGetName(void *d, char *name, unsigned n) { strcpy(name, "Stub"); return 0; }
int nvmlDeviceGetUtilizationRates(void *d, struct load *load) { load->gpu = 37; return 0; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *power) { for (;;) pause(); }
"""
LIBRARIES = {"hangs": HANGS, "does not fit": MISMATCH, "hangs later": ANSWERS}


@pytest.fixture(params=LIBRARIES)
def driver(request, tmp_path: Path, monkeypatch) -> None:
    """A libnvidia-ml.so.1 that is found before any real one."""
    if not (compiler := shutil.which("cc")):
        pytest.skip("there is no C compiler to make a driver with")
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "nvml.c").write_text(LIBRARIES[request.param])
    command = [compiler, "-w", "-shared", "-fPIC", "-o", folder / "libnvidia-ml.so.1", folder / "nvml.c"]
    subprocess.run(command, check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))


@pytest.mark.row(54)
def test_neither_the_training_nor_the_viewer_waits_for_the_driver(driver, terminal, trainer, run, state):
    process = trainer("--steps", "100", "--delay", "0.01", "--nvml")
    screen = terminal([sys.executable, "-m", "dbtui", "attach", str(run.path)])
    assert screen.end() == 0
    assert process.wait(20) == 0
    assert "is done: 100 steps" in screen.text
    assert "GPU   " not in screen.text
    assert (state().step, state().gpu_power) == (100, None)
