import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbtui.dashboard.facts import RunFacts

Event = dict[str, Any]
GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def story() -> Callable[[int], list[Event]]:
    """The events of a run up to a step: caching, training, a preview and a save at step 400, a warning."""

    def tell(steps: int, total: int = 1600) -> list[Event]:
        events: list[Event] = []

        def add(when: float, kind: str, **fields: Any) -> None:
            events.append({"t": 1_800_000_000 + when, "mono": 500 + when, "kind": kind, **fields})

        add(0, "format", version=1, run="sls-frog-3", started=1_800_000_000)
        add(1, "phase", name="cache", total=236)
        for done in (80, 160, 236):
            add(1 + done / 10, "progress", phase="cache", done=done, total=236)
        add(30, "phase", name="train", total=total, epochs=2)
        extra = 0.0
        for step in range(1, steps + 1):
            now = 30 + step * 0.7 + extra
            loss = 0.1 + 0.05 * math.exp(-step / 120) + 0.02 * math.sin(step * 12.9898)
            add(now, "step", step=step, epoch=1 + step // 960, loss=loss, lr=1e-6, images_per_s=1.92,
                grad_norm=0.41, vram_gb=10.1, gpu_load=98, gpu_temp=71, gpu_power=164)  # fmt: skip
            if step == 400:
                prompt = "a photo of sls frog in the snow"
                add(now, "phase", name="sample", total=1)
                add(now + 8, "sample", step=400, path="samples/000400-0.png", prompt=prompt, seed=1)
                add(now + 8, "phase", name="save", total=None)
                add(now + 12, "saved", step=400, path="output/frog.safetensors", seconds=3.4, bytes=2.1e9)
                add(now + 12, "warning", code="disk", text="only 4 GB are free", step=400)
                extra = 12.0
        return events

    return tell


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts(
        name="sls-frog-3",
        path=Path("/runs/sls-frog-3"),
        model="v1-5-pruned.safetensors",
        preset="12 GB",
        prompts=("sls frog",),
        vram_total_gb=12.0,
    )


@pytest.fixture
def check_golden() -> Callable[[str, str], None]:
    """Compare with tests/tui/golden/NAME.txt; UPDATE_GOLDEN=1 writes it instead."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
