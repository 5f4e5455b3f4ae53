"""Ask everything, and judge the answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from dbtui.doctor.ask import Answer, ask
from dbtui.doctor.finding import Finding
from dbtui.doctor.gpu import gpu_findings
from dbtui.doctor.software import (
    SECTION,
    bitsandbytes_findings,
    library_findings,
    python_findings,
    torch_findings,
    xformers_findings,
)
from dbtui.doctor.system import system_findings
from dbtui.doctor.terminal import terminal_findings
from trainer_core.run.process import library_versions

DRIVER_SECONDS = 15.0
LIBRARY_SECONDS = 120.0
"""A first import of torch from a network disk takes a minute."""


def examine(
    runs_dir: Path,
    out: TextIO,
    tell: Callable[[str], None] = lambda text: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Finding]:
    """Yield what is found, section by section.

    Args:
        runs_dir: where runs would lie.
        out: where a dashboard would be drawn (stdout, before anything takes its place).
        tell: told in a few words what is being looked at.
        stopped: says whether nobody waits for the answers any more.
    """
    versions = library_versions()
    yield from python_findings()
    tell("torch and the GPU's driver")
    with ThreadPoolExecutor(2) as pool:  # no more: each import of torch keeps a core busy
        driver = pool.submit(ask, "gpus", DRIVER_SECONDS, stopped)
        torch = pool.submit(ask, "torch", LIBRARY_SECONDS, stopped).result()
        yield from torch_findings(torch)
        if torch.facts is not None:
            tell("bitsandbytes, xformers and diffusers")
            yield from _libraries(versions, pool, stopped)
        else:
            yield Finding(SECTION, "others", "note", "were not tried, since they need torch")
        yield from gpu_findings(driver.result(), torch)
    yield from system_findings(runs_dir)
    yield from terminal_findings(out)


def _libraries(
    versions: dict[str, str], pool: ThreadPoolExecutor, stopped: Callable[[], bool]
) -> Iterator[Finding]:
    missing = Answer(None, "is not installed")
    asked = {
        name: pool.submit(ask, name, LIBRARY_SECONDS, stopped)
        for name in ("bitsandbytes", "xformers", "libraries")
        if name in versions or name == "libraries"
    }
    answers = {name: future.result() for name, future in asked.items()}
    yield from library_findings(answers["libraries"], versions)
    yield from bitsandbytes_findings(answers.get("bitsandbytes", missing), versions.get("bitsandbytes"))
    yield from xformers_findings(answers.get("xformers"), versions.get("xformers"))
