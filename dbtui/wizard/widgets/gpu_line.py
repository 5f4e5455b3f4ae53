"""The graphics card in a line: its name and free memory, without waiting for the driver."""

from textual.widgets import Static

from trainer_core.run.machine import GpuMonitor, GpuReading
from trainer_core.text import safe_text

_LOOK_EVERY = 5.0
_SHOW_EVERY = 1.0
NONE = "no NVIDIA GPU: trainings use the CPU"
_BRANDS = ("NVIDIA ", "GeForce ")


class GpuLine(Static):
    """Shows what the driver says of the card that a run would use, as soon as it says anything."""

    DEFAULT_CSS = "GpuLine { width: auto; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._monitor: GpuMonitor | None = None

    def on_mount(self) -> None:
        """Begin to look once the first picture stands."""
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        """Stop looking."""
        if self._monitor:
            self._monitor.close()

    def _begin(self) -> None:
        self._monitor = GpuMonitor(interval=_LOOK_EVERY)
        self.set_interval(_SHOW_EVERY, self._show)

    def _show(self) -> None:
        if self._monitor and self._monitor.has_answered:
            words = gpu_words(self._monitor.latest())
            if words != str(self.content):
                self.update(words)


def gpu_words(reading: GpuReading | None) -> str:
    """Return the card in a few words, safe to show."""
    if reading is None or reading.name is None:
        return NONE
    name = safe_text(reading.name, 40)
    for brand in _BRANDS:
        name = name.removeprefix(brand)
    if reading.vram_total_gb is None or reading.vram_used_gb is None:
        return name
    return f"{name} · {reading.vram_total_gb - reading.vram_used_gb:.1f} of {reading.vram_total_gb:.1f} GB free"
