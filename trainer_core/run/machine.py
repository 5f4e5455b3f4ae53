"""What the GPU's driver says about it. Every question may fail or hang; nobody who asks does."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")
_GB = 2**30


@dataclass(frozen=True)
class GpuReading:
    """One look at a GPU; what the driver does not tell is None. Sizes in GiB, as cards are sold."""

    name: str | None
    driver: str | None
    load: float | None
    """Share of time in which it worked, 0 to 100."""
    temperature: float | None
    """Degrees Celsius."""
    power: float | None
    """Watts."""
    vram_used_gb: float | None
    """Memory in use by all processes together."""
    vram_total_gb: float | None
    capability: tuple[int, int] | None = None
    """Compute capability: (8, 0) and later compute in bf16."""


class GpuMonitor:
    """Looks at one GPU from a thread of its own, every `interval` seconds.

    `uuid` is the driver's name of the device (`GPU-...`, from torch's device properties); without it the
    first device of CUDA_VISIBLE_DEVICES is taken, which is right on machines with one kind of card.
    """

    def __init__(self, uuid: str | None = None, interval: float = 1.0) -> None:
        self._uuid = uuid or _first_visible()
        self._interval = interval
        self._stopped = threading.Event()
        self._answered = threading.Event()
        self._reading: GpuReading | None = None
        self._when = 0.0
        threading.Thread(target=self._watch, name="gpu-monitor", daemon=True).start()

    def latest(self) -> GpuReading | None:
        """Return the last reading at once; None without a GPU, or when the driver stopped answering."""
        is_fresh = time.monotonic() - self._when < 10 * self._interval
        return self._reading if is_fresh else None

    @property
    def has_answered(self) -> bool:
        """Whether the driver has said anything, or is known to say nothing."""
        return self._answered.is_set()

    def first(self, timeout: float = 2.0) -> GpuReading | None:
        """Wait for the first reading, no longer than `timeout` seconds."""
        self._answered.wait(timeout)
        return self.latest()

    def close(self) -> None:
        """Stop looking."""
        self._stopped.set()

    def _watch(self) -> None:
        try:
            import pynvml  # type: ignore[import-untyped,unused-ignore]

            pynvml.nvmlInit()
            handle = _find_device(pynvml, self._uuid)
        except Exception:  # noqa: BLE001 - no driver, no library, no device: there is nothing to watch
            self._answered.set()
            return
        while not self._stopped.is_set():
            self._reading, self._when = _read_device(pynvml, handle), time.monotonic()
            self._answered.set()
            self._stopped.wait(self._interval)


def read_gpu(uuid: str | None = None, timeout: float = 2.0) -> GpuReading | None:
    """Look at a GPU once, for at most `timeout` seconds."""
    monitor = GpuMonitor(uuid, interval=60.0)
    try:
        return monitor.first(timeout)
    finally:
        monitor.close()


def first_visible(nvml: Any) -> int | None:
    """Return the driver's number of the GPU that a run trains on; None if all are hidden or it is not there."""
    return _ask_nvml(lambda: int(nvml.nvmlDeviceGetIndex(_find_device(nvml, _first_visible()))))


def _first_visible() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()


def _find_device(nvml: Any, device: str) -> Any:
    if device in {"", "-1"}:
        raise ValueError("CUDA_VISIBLE_DEVICES hides every device")
    if device.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(device))
    return nvml.nvmlDeviceGetHandleByUUID(device)


def _read_device(nvml: Any, handle: Any) -> GpuReading:
    memory = _ask_nvml(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return GpuReading(
        name=_ask_nvml(lambda: str(nvml.nvmlDeviceGetName(handle))),
        driver=_ask_nvml(lambda: str(nvml.nvmlSystemGetDriverVersion())),
        load=_ask_nvml(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
        temperature=_ask_nvml(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        power=_ask_nvml(lambda: round(nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0, 1)),
        vram_used_gb=round(memory.used / _GB, 3) if memory else None,
        vram_total_gb=round(memory.total / _GB, 3) if memory else None,
        capability=_ask_nvml(lambda: _pair(nvml.nvmlDeviceGetCudaComputeCapability(handle))),
    )


def _pair(numbers: Any) -> tuple[int, int]:
    major, minor = numbers
    return int(major), int(minor)


def _ask_nvml(question: Callable[[], _T]) -> _T | None:
    try:
        return question()
    except Exception:  # noqa: BLE001 - one answer that is missing must not cost the others
        return None
