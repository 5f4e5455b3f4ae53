"""A trainer that trains nothing: it writes events, answers commands and obeys signals as the real one does."""

import argparse
import math
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.control import ControlReader, acknowledge
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.run.fence import fenced
from trainer_core.run.lock import acquire
from trainer_core.run.machine import GpuMonitor, GpuReading
from trainer_core.run.process import write_process_record
from trainer_core.run.stop_signals import StopSignals

CARD = GpuReading(
    "Fake RTX 3060", "580.1", load=98, temperature=71, power=164.0, vram_used_gb=10.1, vram_total_gb=12
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--saving", type=float, default=0.1, help="seconds that a save takes")
    parser.add_argument("--crash", help="die with these last words before the first event")
    parser.add_argument("--nvml", action="store_true", help="ask the driver about GPU 0, as the real one does")
    parser.add_argument("--host", help="believe to be on this machine")
    parser.add_argument("--take-over", action="store_true")
    parser.add_argument("--kill-at", type=int, help="end by SIGKILL at this step")
    parser.add_argument("--orphans", type=int, default=0, help="leave behind processes that end soon")
    options = parser.parse_args()
    if options.crash:
        sys.stderr.write(options.crash + "\n")
        return int(ExitCode.MODEL)
    if options.host:
        socket.gethostname = lambda: options.host
    run = RunDirectory(Path(options.run))
    signals = StopSignals()
    try:
        lock = acquire(run, take_over=options.take_over)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.code)
    for _ in range(options.orphans):
        subprocess.run(["sh", "-c", "sleep 0.3 &"], check=True)
    control, events = ControlReader(run), EventWriter(run)
    write_process_record(run, {"name": "Fake RTX 3060", "vram_total_gb": 12.0})
    with fenced(lock, every=0.2):
        code = train(run, options, signals, control, events)
    events.close()
    lock.release()
    return code


def train(
    run: RunDirectory,
    options: argparse.Namespace,
    signals: StopSignals,
    control: ControlReader,
    events: EventWriter,
) -> int:
    events.emit("phase", name="cache", total=24)
    for done in range(1, 25):
        events.emit("progress", phase="cache", done=done, total=24)
        time.sleep(options.delay / 4)
    events.emit("phase", name="train", total=options.steps)
    step, is_stopped = 0, False
    gpu = GpuMonitor("0", interval=0.01) if options.nvml else None
    while step < options.steps and not is_stopped:
        time.sleep(options.delay)
        step += 1
        if step == options.kill_at:
            events.flush()
            os.kill(os.getpid(), 9)
        reading = gpu.latest() if gpu else CARD
        loss = 0.1 + 0.05 * math.exp(-step / 200) + 0.02 * math.sin(step * 12.9898)
        events.emit(
            "step", step=step, epoch=1 + step // 800, loss=loss, lr=1e-6, images_per_s=1.92, grad_norm=0.41,
            vram_gb=10.1, gpu_load=reading.load if reading else None,
            gpu_temp=reading.temperature if reading else None, gpu_power=reading.power if reading else None,
        )  # fmt: skip
        for command in control.poll():
            acknowledge(events, command, True, f"{command.kind} at step {step}")
            if command.kind == "save":
                save(run, events, step, options.saving)
            elif command.kind == "sample":
                events.emit("sample", step=step, path=f"samples/{step:06}-0.png", prompt="sls frog", seed=1)
            elif command.kind == "pause":
                is_stopped = pause(events, control, signals, options.steps)
            is_stopped = is_stopped or command.kind == "stop"
        is_stopped = is_stopped or signals.stop_requested is not None
    path = save(run, events, step, options.saving)
    code = ExitCode.STOPPED if is_stopped else ExitCode.DONE
    events.emit("phase", name="done", total=None)
    text = f"stopped by {signals.stop_requested or 'command'}" if is_stopped else "done"
    events.emit("finished", exit_code=int(code), text=text, step=step, outputs=[str(path)])
    return int(code)


def pause(events: EventWriter, control: ControlReader, signals: StopSignals, total: int) -> bool:
    """Wait until somebody says to go on or to stop; return whether it was stop."""
    events.emit("phase", name="paused", total=None)
    while signals.stop_requested is None:
        for command in control.poll():
            acknowledge(events, command, True, f"{command.kind} in the pause")
            if command.kind == "unpause":
                events.emit("phase", name="train", total=total)
            if command.kind in {"unpause", "stop"}:
                return command.kind == "stop"
        time.sleep(0.02)
    return True


def save(run: RunDirectory, events: EventWriter, step: int, seconds: float) -> Path:
    events.emit("phase", name="save", total=None)
    time.sleep(seconds)
    run.output.mkdir(exist_ok=True)
    path = run.output / f"step-{step:06}.safetensors"
    path.write_bytes(b"weights")
    events.emit("saved", step=step, path=str(path), seconds=seconds, bytes=7)
    return path


if __name__ == "__main__":
    sys.exit(main())
