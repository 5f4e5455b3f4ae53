"""What can be seen of a run. Nothing repeats the configuration: no run.toml, no metadata, no learning rate."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import torch
from PIL import Image
from safetensors import safe_open

from trainer_core.memory.copy_bus import CopyBus
from trainer_core.train import job as jobs
from trainer_core.train import streaming
from trainer_core.train.job import Job
from trainer_core.train.loop import train
from trainer_core.train.passes import Passes, batch_losses
from trainer_core.train.take_step import steps_of

from .observer import Enough, Observer, Tables

STEPS = 6
"""Steps whose batches are looked at: several epochs of the few pictures."""


def batches(observer: Observer, tables: Tables) -> Any:
    """Pictures, captions and tensors of the first steps."""
    seen = []

    def loop(job: Job, *_: Any) -> None:
        for step in range(job.samples.total_steps):
            for batch in job.loader.step(step):
                names = [job.samples.items[item].picture.path.name for item in batch.items]
                seen.append((step, names, batch.captions, [_digest(tensor) for tensor in batch.tensors]))
        raise Enough

    observer.run(tables, loop)
    return seen


def conditioning(observer: Observer, tables: Tables) -> Any:
    """What the U-Net is conditioned on in the first step."""
    seen = []

    def loop(job: Job, *_: Any) -> None:
        with torch.no_grad():
            seen.extend(_digest(job.conditioning(batch.captions)) for batch in job.loader.step(0))
        raise Enough

    observer.run(tables, loop)
    return seen


def learned(observer: Observer, tables: Tables) -> Any:
    """The loss of every step and the weights after the last, bit by bit."""
    losses: list[float] = []
    weights: dict[str, Any] = {}

    def loop(job: Job, *_: Any) -> None:
        train(job, lambda report: losses.append(report.loss), lambda: True)
        weights.update({name: _digest(parameter) for name, parameter in job.parameters.items()})
        job.step = 0  # so that no checkpoint is written
        raise Enough

    observer.run(tables, loop)
    assert losses
    return losses, weights


def files(observer: Observer, tables: Tables) -> Any:
    """Every file that a whole run leaves, by name and contents."""
    folder = observer.run(tables, train).folder
    return dict(item for path in sorted(folder.rglob("*")) if path.is_file() for item in _described(path, folder))


def events(observer: Observer, tables: Tables) -> Any:
    """What happened in a whole run, in order: kinds, phases, codes of warnings, steps."""
    return [
        tuple(event.get(name) for name in ("kind", "name", "code", "step"))
        for event in observer.run(tables, train).events
        if event["kind"] not in {"format", "progress"}
    ]


def threads(observer: Observer, tables: Tables) -> Any:
    """Threads of torch, and those of every pool that was made before the loop."""
    pools: list[Any] = []
    seen: list[Any] = [pools]

    def loop(*_: Any) -> None:
        seen.append(torch.get_num_threads())
        raise Enough

    with _calls(ThreadPoolExecutor, "__init__", pools):
        observer.run(tables, loop)
    return seen


def compiled(observer: Observer, tables: Tables) -> Any:
    """Blocks of the U-Net that a step would run compiled."""
    seen = []

    def loop(job: Job, *_: Any) -> None:
        with steps_of(job, Passes(job)) as steps, steps.kernels:
            seen.extend(name for name, block in job.model.unet.named_modules() if block._compiled_call_impl)
        raise Enough

    observer.run(tables, loop)
    return seen


def drawn(observer: Observer, tables: Tables) -> Any:
    """Shapes of everything that the U-Net is given before the loop."""
    shapes: list[Any] = []

    def loop(*_: Any) -> None:
        raise Enough

    def watch(model: Any) -> None:
        model.unet.register_forward_pre_hook(lambda _, arguments: shapes.append(tuple(arguments[0].shape)))

    with _watched(observer, watch):
        observer.run(tables, loop)
    return shapes


def memory(observer: Observer, tables: Tables) -> Any:
    """Types of the weights, what a step keeps for its backward pass, what works before the steps and in them."""
    weights: dict[str, list[str]] = {}
    kept: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    when = ["before"]

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[str(tensor.dtype)] += tensor.numel()
        return tensor

    def loop(job: Job, *_: Any) -> None:
        when[0] = "in a step"
        for name in ("unet", "text_encoder", "vae"):
            weights[name] = sorted({str(tensor.dtype) for tensor in getattr(job.model, name).parameters()})
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            batch_losses(job, job.loader.step(0)[0], torch.Generator())
        raise Enough

    def watch(model: Any) -> None:
        for name, module in (("VAE", model.vae.encoder), ("text encoder", model.text_encoder)):
            module.register_forward_pre_hook(lambda *_, name=name: calls.update([f"{name} {when[0]}"]))

    with _watched(observer, watch):
        folder = observer.run(tables, loop).folder
    cached = sum(path.is_file() for path in (folder / "runs" / ".cache").rglob("*"))
    return weights, kept, calls, cached


def gradients(observer: Observer, tables: Tables) -> Any:
    """How many gradients lie in memory together in a step, at most."""
    together: list[int] = []

    def loop(job: Job, *_: Any) -> None:
        weights = list(job.parameters.values())
        for weight in weights:
            weight.register_post_accumulate_grad_hook(
                lambda _: together.append(sum(each.grad is not None for each in weights))
            )
        train(job, lambda report: None, lambda: False)
        job.step = 0  # so that no checkpoint is written
        raise Enough

    observer.run(tables, loop)
    return max(together)


def short_of_memory(observer: Observer, tables: Tables) -> Any:
    """What is told of a run in a memory that holds no picture's activations."""

    def look(unet: Any, _: Any) -> None:
        if unet.training and not unet.is_gradient_checkpointing:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with _watched(observer, lambda model: model.unet.register_forward_pre_hook(look)):
        return [event["text"] for event in observer.run(tables, train).events if event["kind"] == "warning"]


def moved(observer: Observer, tables: Tables) -> Any:
    """Bytes that a step moves to main memory and back, where the device's memory is another."""
    sizes: Counter[str] = Counter()

    class Counting(CopyBus):
        def load(self, slot: Any, kept: torch.Tensor) -> None:
            sizes["weights"] += kept.nbytes
            super().load(slot, kept)

        def put(self, tensor: torch.Tensor) -> Any:
            sizes["activations"] += tensor.nbytes
            return super().put(tensor)

        def put_back(self, kept: torch.Tensor, tensor: torch.Tensor) -> None:
            sizes["state"] += tensor.nbytes
            super().put_back(kept, tensor)

    def loop(job: Job, *_: Any) -> None:
        train(job, lambda report: None, lambda: False)
        job.step = 0  # so that no checkpoint is written
        raise Enough

    with patch.object(jobs, "bus_for", lambda *_: Counting()), patch.object(streaming, "LEAST", 0):
        observer.run(tables, loop)
    return sizes


def presets(observer: Observer, tables: Tables) -> Any:
    """What `dbtui preset list` tells of a preset, without its settings."""
    from dbtui.cli.app import run

    folder = observer.write(tables).parent
    (folder / "presets").mkdir()
    (folder / "file.toml").rename(folder / "presets" / "walk.toml")
    with patch.dict("os.environ", {"DBTUI_CONFIG_DIR": str(folder)}), redirect_stdout(StringIO()) as output:
        assert run(["preset", "list", "--json"]) == 0
    (found,) = (preset for preset in json.loads(output.getvalue()) if preset["origin"] == "yours")
    return {name: value for name, value in found.items() if name != "path"}


def requests(observer: Observer, tables: Tables) -> Any:
    """What Weights & Biases and the Hub are asked for in a whole run; neither is there."""
    asked: list[Any] = []

    def create(_: Any, repo_id: str, **named: Any) -> str:
        asked.append(("create", repo_id, named["private"]))
        return f"https://hub/{repo_id}"

    def commit(_: Any, repo_id: str, operations: Any, **_named: Any) -> Any:
        asked.append(("commit", repo_id, sorted(operation.path_in_repo for operation in operations)))
        return Mock(oid="0" * 40)

    wandb = Mock(init=lambda **named: asked.append(("log", named["project"], named["name"])) or Mock())
    wandb.__spec__ = wandb
    hub = {
        "whoami": Mock(),
        "create_repo": create,
        "create_commit": commit,
        "file_exists": Mock(return_value=False),
    }
    with (
        patch.dict("sys.modules", {"wandb": wandb}),
        patch.dict("os.environ", {"WANDB_MODE": "offline", "HF_TOKEN": "hf_" + "t" * 30}),
        patch.multiple("huggingface_hub.HfApi", get_paths_info=Mock(return_value=[]), **hub),
    ):
        observer.run(tables, train)
    return asked


LOOKS = {
    look.__name__: look
    for look in (
        batches,
        conditioning,
        learned,
        files,
        events,
        threads,
        drawn,
        compiled,
        memory,
        gradients,
        short_of_memory,
        moved,
        requests,
        presets,
    )
}


@contextmanager
def _watched(observer: Observer, watch: Callable[[Any], None]) -> Iterator[None]:
    observer.on_load.append(watch)
    try:
        yield
    finally:
        observer.on_load.remove(watch)


@contextmanager
def _calls(owner: Any, name: str, into: list[Any]) -> Iterator[None]:
    """Note the arguments, but for the first, of every call of a method, which is made all the same."""
    real = getattr(owner, name)

    def spy(self: Any, *arguments: Any, **named: Any) -> Any:
        into.append((arguments, named.get("max_workers")))
        return real(self, *arguments, **named)

    with patch.object(owner, name, spy):
        yield


def _digest(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], str]:
    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return str(tensor.dtype), tuple(tensor.shape), hashlib.sha256(data).hexdigest()


_ECHOES = {"file.toml", "run.toml", "process.json", "events.jsonl", "run.lock", "manifest.json"}


def _described(path: Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield a file's name, without times and process numbers, and its contents, without metadata."""
    name = re.sub(r"\d{10,}.*", "#", str(path.relative_to(folder)))
    if path.name in _ECHOES:
        return
    if "checkpoints" in path.parts:  # for a resume, and for nobody else
        yield name, None
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            yield name, {key: _digest(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
            yield f"{name}: tags", (file.metadata() or {}).get("ss_tag_frequency")
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            yield name, (picture.size, hashlib.sha256(picture.tobytes()).hexdigest())
    elif path.suffix in {".txt", ".yaml", ".ckpt", ".jpg"}:
        yield name, hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        yield name, None
