"""The end of a run with hub.push: the finished model goes to the Hub; the run is done in any case."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.config.schema import Config
from trainer_core.hooks.witness import UPLOAD_FAILED
from trainer_core.models.hub_upload import UploadError, command_to_repeat, upload_model
from trainer_core.models.sniff import is_hub_id
from trainer_core.run.events import EventWriter
from trainer_core.text import safe_text

METHODS = {"dreambooth": "DreamBooth", "finetune": "fine-tuning", "hybrid": "DreamBooth with captions"}


@dataclass(frozen=True, slots=True)
class Trained:
    """A training whose model is written.

    Attributes:
        family: the title of the model's family.
        step: steps trained.
        paths: the model's files, or its folder.
        totals: what was done in all, as the run's end tells it.
    """

    config: Config
    family: str
    step: int
    paths: list[Path]
    totals: dict[str, Any]


def publish(trained: Trained, events: EventWriter) -> str:
    """Upload the model if hub.push asks for it; return what to say of it at the end of the run.

    A failure is a warning event: the model lies in the output folder as without the upload.
    """
    hub, paths = trained.config.hub, trained.paths
    if not hub.push or hub.repo_id is None:
        return ""
    started = time.monotonic()
    events.emit("phase", name="upload", total=None)
    try:
        uploaded = upload_model(
            paths,
            hub.repo_id,
            private=hub.private,
            card=model_card(trained.config, hub.repo_id, trained.family, trained.step),
            progress=lambda text: events.emit("progress", phase="upload", done=0, total=None, text=text),
        )
    except UploadError as error:
        repeat = command_to_repeat(paths, hub.repo_id)
        text = f"the upload to {hub.repo_id} failed ({error}); the model is in {safe_text(paths[0])}"
        events.emit(
            "warning", code=UPLOAD_FAILED, text=f"{text}; to repeat: {safe_text(repeat)}", step=trained.step
        )
        return "; the upload to the Hub failed"
    seconds = round(time.monotonic() - started, 3)
    events.emit(
        "uploaded",
        step=trained.step,
        by="hub",
        verified=True,
        url=uploaded.url,
        files=uploaded.files,
        bytes=uploaded.bytes,
        seconds=seconds,
    )
    return f"; uploaded to {safe_text(uploaded.url)}"


def model_card(config: Config, repo_id: str, family: str, steps: int) -> str:
    """Return a README for the repository: how it was trained, and nothing of the pictures, names or prompts."""
    is_lora = config.method.train == "lora"
    tags = ["stable-diffusion", "text-to-image", "dbtui", *(["lora"] if is_lora else [])]
    base = config.model.base or ""
    lines = [
        "---",
        "library_name: diffusers",
        "pipeline_tag: text-to-image",
        "tags:",
        *(f"- {tag}" for tag in tags),
    ]
    if is_hub_id(base):
        lines.append(f"base_model: {base}")
    width, height = config.dataset.resolution
    what = "A LoRA" if is_lora else "A model"
    lines += [
        "---",
        "",
        f"# {repo_id.partition('/')[2]}",
        "",
        f"{what} of {family}, trained with dbtui: {METHODS[config.method.captions]}, {steps} steps at"
        f" {width} x {height}, batch size {config.train.batch_size}, learning rate"
        f" {config.optimizer.learning_rate:g}.",
    ]
    return "\n".join(lines) + "\n"
