"""How long a trainer is likely to be left alive after it was told to stop, by what it runs under.

Nobody tells a process its grace, so these are the usual ones; docs/stopping.md has them in a table.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds between the request to stop and SIGKILL, and who counts them."""

    seconds: float
    whose: str


def likely_grace(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Grace:
    """Return the usual grace of what this process runs under, the strictest first."""
    if _product(root) == "Google Compute Engine" and "KUBERNETES_SERVICE_HOST" in environment:
        return Grace(15, "a spot node of GKE")
    if "KUBERNETES_SERVICE_HOST" in environment:
        return Grace(30, "Kubernetes")
    if "SLURM_JOB_ID" in environment:
        return Grace(30, "Slurm")
    if any((root / name).exists() for name in (".dockerenv", "run/.containerenv")):
        return Grace(10, "`docker stop` or `podman stop`")
    if _product(root) == "Google Compute Engine":
        return Grace(30, "a spot machine of Google Cloud")
    return Grace(90, "systemd, when it stops a service or the machine")


def too_short(grace: Grace, seconds: float, state_every_minutes: float) -> str:
    """Return what to tell of a state that took `seconds` to save; empty if the grace is long enough."""
    if seconds <= grace.seconds:
        return ""
    waits = f"{grace.whose} usually waits {grace.seconds:.0f} s before it kills"
    text = f"saving the state took {seconds:.0f} s, and {waits}: a stop may come too late to save"
    if state_every_minutes:
        return (
            f"{text}. What protects then is the state that save.state_every_minutes writes, every "
            f"{state_every_minutes:g} minutes now; allow a longer grace where you can"
        )
    return f"{text}, and nothing is saved in between: set save.state_every_minutes"


def _product(root: Path) -> str:
    try:
        return (root / "sys/class/dmi/id/product_name").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
