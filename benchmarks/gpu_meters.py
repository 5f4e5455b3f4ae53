"""Meters of a training on a device: how fast it is, who makes the host wait, how much memory each phase takes."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from results_file import say

from trainer_core.train.job import Job

GB = 2**30
SETTLING_STEPS = 3
WAITING = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "aten::item", "aten::_local_scalar_dense")
"""What the profiler shows where the host waits. The late readback waits for an event, which is not here."""


class Clock:
    """Times the steps between the settling ones and the profiled ones, then profiles the rest."""

    def __init__(self, job: Job, device: torch.device, last_timed: int, profiled: int) -> None:
        self.job, self.device, self.last_timed, self.profiled = job, device, last_timed, profiled
        self.started = self.ended = 0.0
        self.samples = 0
        self.profiler: Any = None

    def tick(self, step: int, pictures: list[Path], loss: float) -> None:
        """Note that a step has ended."""
        del loss
        if SETTLING_STEPS < step <= self.last_timed:
            self.samples += len(pictures)
        if step == SETTLING_STEPS:
            self.started = self._now()
        if step == self.last_timed:
            self.ended = self._now()
            if self.profiled:
                self._profile()
        if self.profiler and step == self.job.samples.total_steps:
            self.profiler.stop()  # before the last readback, which is not of a step in the middle

    def _profile(self) -> None:
        """Begin, where the driver lets programs look at what it does; else nothing is known of waiting."""
        try:
            profiler = torch.profiler.profile()
            profiler.start()
        except RuntimeError as error:
            say(f"no profile: {error}")
        else:
            self.profiler = profiler

    def speed(self) -> tuple[float, float]:
        """Return steps and pictures a second."""
        seconds = self.ended - self.started
        return (self.last_timed - SETTLING_STEPS) / seconds, self.samples / seconds

    def waits(self) -> dict[str, float]:
        """Return how often the host waited in a step, by what it called; nothing where there was no profile."""
        if self.profiler is None:
            return {}
        # The trace is written by torch's own C++ code; its Python summary takes half a minute.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            self.profiler.export_chrome_trace(str(path))
            trace = path.read_text(encoding="utf-8")
        return {name: trace.count(f'"name": "{name}"') / self.profiled for name in WAITING}

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


class Memory:
    """Peak memory of one phase after the other."""

    def __init__(self, device: torch.device, phases: dict[str, dict[str, float]]) -> None:
        self.on_gpu, self.phases = device.type == "cuda", phases

    def start(self) -> None:
        """Begin the first phase."""
        if self.on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()

    def end(self, phase: str) -> None:
        """End a phase, and begin the next."""
        if self.on_gpu:
            torch.cuda.synchronize()
            self.phases[phase] = {
                "allocated": round(torch.cuda.max_memory_allocated() / GB, 3),
                "reserved": round(torch.cuda.max_memory_reserved() / GB, 3),
            }
            torch.cuda.reset_peak_memory_stats()
