import sys
import threading
import time
from types import SimpleNamespace

import pytest

from trainer_core.run.machine import GpuMonitor, read_gpu


def card(**changes: object) -> SimpleNamespace:
    """A driver with one card, as pynvml shows it; `changes` replaces what it answers."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=3 * 2**30, total=12 * 2**30),
        "nvmlDeviceGetName": lambda handle: f"RTX of {handle}",
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=98),
        "nvmlDeviceGetTemperature": lambda handle, sensor: 71,
        "nvmlDeviceGetPowerUsage": lambda handle: 164_250,
        "NVML_TEMPERATURE_GPU": 0,
    }
    return SimpleNamespace(**(answers | changes))


def fail(*_: object) -> None:
    raise RuntimeError("NVML: not supported")


def test_a_reading(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", card())
    reading = read_gpu("GPU-1234")
    assert reading
    assert (reading.name, reading.driver, reading.load, reading.temperature) == (
        "RTX of GPU-1234",
        "580.1",
        98,
        71,
    )
    assert (reading.vram_used_gb, reading.vram_total_gb, reading.power) == (3.0, 12.0, 164.2)


def test_the_first_visible_device_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", card())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    reading = read_gpu()
    assert reading
    assert reading.name == "RTX of 2"


def test_one_missing_answer_costs_only_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", card(nvmlDeviceGetMemoryInfo=fail, nvmlDeviceGetPowerUsage=fail))
    reading = read_gpu("0")
    assert reading
    assert (reading.load, reading.power, reading.vram_used_gb, reading.vram_total_gb) == (98, None, None, None)


@pytest.mark.row(54)
def test_without_library_driver_or_card_there_is_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert read_gpu("0") is None
    monkeypatch.setitem(sys.modules, "pynvml", card(nvmlInit=fail))
    assert read_gpu("0") is None
    monkeypatch.setitem(sys.modules, "pynvml", card())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert read_gpu() is None


@pytest.mark.row(54)
def test_a_driver_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch):
    released, calls = threading.Event(), []

    def hang(handle: object) -> SimpleNamespace:
        calls.append(handle)
        if len(calls) > 1:
            released.wait(30)
        return SimpleNamespace(gpu=50)

    monkeypatch.setitem(sys.modules, "pynvml", card(nvmlDeviceGetUtilizationRates=hang))
    monitor = GpuMonitor("0", interval=0.02)
    assert monitor.first() is not None
    deadline = time.monotonic() + 5
    while monitor.latest() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    released.set()
    monitor.close()
