"""Python and the libraries: which are there, and whether they work."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from dbtui import __version__
from dbtui.doctor.ask import Answer
from dbtui.doctor.finding import Finding
from trainer_core.models.pickles import reads_pickles

SECTION = "software"
GET_TORCH = "install the build for your driver as pytorch.org/get-started says"


def python_findings() -> Iterator[Finding]:
    """Python and dbtui itself."""
    yield Finding(
        SECTION, "Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    yield Finding(SECTION, "dbtui", "ok", __version__)


def torch_findings(answer: Answer) -> Iterator[Finding]:
    """Torch's build; what it makes of the GPU is told with the GPU."""
    if answer.facts is None:
        yield Finding(
            SECTION, "torch", "problem", f"does not load: {answer.failure}", f"reinstall it: {GET_TORCH}"
        )
        return
    version, cuda, hip = (answer.facts[name] for name in ("version", "cuda", "hip"))
    build = f"built for CUDA {cuda}" if cuda else f"built for ROCm {hip}" if hip else "built for CPUs only"
    yield Finding(SECTION, "torch", "ok", f"{version}, {build}")
    if not reads_pickles(version):
        text = "are refused with this torch: reading them safely takes 2.10 (CVE-2026-24747)"
        action = "use .safetensors or Diffusers models, or upgrade torch"
        yield Finding(SECTION, ".ckpt files", "note", text, action)


def bitsandbytes_findings(answer: Answer, version: str | None) -> Iterator[Finding]:
    """The 8-bit optimizer, which is the default."""
    name, way_out = "bitsandbytes", "or train with --set optimizer.type='\"adamw\"', which takes more memory"
    if version is None:
        yield Finding(SECTION, name, "problem", "is not installed", f"pip install bitsandbytes, {way_out}")
        return
    problem = answer.failure if answer.facts is None else answer.facts["problem"]
    if problem:
        text = f"{version} does not work: {problem}"
        yield Finding(SECTION, name, "problem", text, f"pip install --upgrade bitsandbytes, {way_out}")
        return
    device = (answer.facts or {})["device"]
    where = "the GPU" if device == "cuda" else "the CPU"
    yield Finding(SECTION, name, "ok", f"{version}, an 8-bit step was right on {where}")


def xformers_findings(answer: Answer | None, version: str | None) -> Iterator[Finding]:
    """Attention by xformers, which nothing needs."""
    if version is None or answer is None:
        yield Finding(SECTION, "xformers", "ok", "is not installed and not needed (torch has its own attention)")
        return
    problem = answer.failure if answer.facts is None else answer.facts["problem"]
    if not problem:
        yield Finding(SECTION, "xformers", "ok", f"{version}, its attention agrees with torch's")
        return
    text = f"{version} cannot be used: {problem}"
    yield Finding(SECTION, "xformers", "note", text, 'leave memory.attention at "sdpa"')


def library_findings(answer: Answer, versions: Mapping[str, str]) -> Iterator[Finding]:
    """Diffusers, transformers and accelerate: whether what the trainer uses of them can be imported."""
    facts: Mapping[str, Any] = answer.facts or {}
    for library in ("diffusers", "transformers", "accelerate"):
        version = versions.get(library)
        problem = facts.get(library) if answer.facts is not None else answer.failure
        action = f"pip install --upgrade {library}"
        if version is None:
            yield Finding(SECTION, library, "problem", "is not installed", action)
        elif problem:
            yield Finding(SECTION, library, "problem", f"{version} does not load: {problem}", action)
        else:
            yield Finding(SECTION, library, "ok", version)
