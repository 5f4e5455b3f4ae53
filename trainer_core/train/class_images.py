"""Drawing the class pictures that are missing, with the start model as it is, before it is trained."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from trainer_core.config.schema import Prior, Prompt
from trainer_core.data.dataset import ClassPicture, ClassPictures, Size
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.family import COMPONENTS
from trainer_core.run.atomic import write_text
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.text import safe_text
from trainer_core.train.out_of_memory import Portions, is_out_of_memory
from trainer_core.train.preview import draw_together, save_picture
from trainer_core.train.throttle import throttled

_Wanted = tuple[ClassPicture, Prompt]


def draw_class_pictures(
    drawn: Sequence[ClassPictures],
    prior: Prior,
    size: Size,
    model: Any,
    device: torch.device,
    events: EventWriter,
    *,
    clip_skip: int | None,
    autocast: torch.autocast,
    should_stop: Callable[[], bool],
) -> bool:
    """Draw and write what is missing of each class; return False if a stop was asked for before all was there.

    A picture depends on the model, its prompts, its size and its seed, so what is left by a stop is drawn later
    as it would have been now. A batch that does not fit into memory is halved. The model is on the CPU afterwards.

    Raises:
        UserError: a picture cannot be written (code DISK), or needs too much memory alone (code OUT_OF_MEMORY).
    """
    done, total = 0, sum(len(each.missing) for each in drawn)
    events.emit("phase", name="class_images", total=total)
    tell = throttled(lambda done, total: events.emit("progress", phase="class_images", done=done, total=total))
    tell(done, total)

    def draw(batch: Sequence[_Wanted]) -> list[Image.Image]:
        if should_stop():
            raise StopRequestedError
        prompts = [prompt for _, prompt in batch]
        return draw_together(
            model, prompts, size, device, clip_skip=clip_skip, autocast=autocast, should_stop=should_stop
        )

    portions = Portions(prior.sample_batch_size, lambda at_once, reason: _tell_smaller(events, at_once, reason))
    try:
        _place(model, device)
        for each in drawn:
            wanted = [(picture, _prompt(picture, each, prior)) for picture in each.missing]
            for batch, pictures in portions.of(wanted, draw):
                _write(each.folder, batch, pictures)
                done += len(batch)
                tell(done, total)
    except StopRequestedError:
        return False
    except Exception as error:
        if is_out_of_memory(error):
            raise UserError(_too_much(error), ExitCode.OUT_OF_MEMORY) from error
        if not isinstance(error, OSError):
            raise
        text = f"a class picture could not be written ({safe_text(error)}): free some space or name another folder"
        raise UserError(text, ExitCode.DISK) from error
    finally:
        _leave(model)
    return True


def _write(folder: Path, batch: Sequence[_Wanted], pictures: Sequence[Image.Image]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for (wanted, prompt), picture in zip(batch, pictures, strict=True):
        if wanted.caption is not None:
            write_text(wanted.caption, wanted.words + "\n")
        save_picture(picture, wanted.path, prompt, None)


def _prompt(picture: ClassPicture, drawn: ClassPictures, prior: Prior) -> Prompt:
    return Prompt(
        prompt=picture.prompt,
        negative_prompt=drawn.negative_prompt,
        seed=picture.seed,
        steps=prior.infer_steps,
        guidance_scale=prior.guidance_scale,
    )


def _place(model: Any, device: torch.device) -> None:
    for component in COMPONENTS:
        model.bring(component, device, torch.float32).eval()


def _leave(model: Any) -> None:
    """Move to main memory what was read, which is all of it unless something is wrong with the rest."""
    for component in COMPONENTS:
        if component not in model.waiting:
            model.module(component).to("cpu")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _tell_smaller(events: EventWriter, at_once: int, reason: str) -> None:
    text = f"there was not enough memory for so many class pictures at once: now at most {at_once} ({reason})"
    events.emit("warning", code="out_of_memory", text=text, step=0, size=at_once)


def _too_much(error: BaseException) -> str:
    return (
        'There was not enough memory to draw a single class picture: set memory.mixed_precision = "fp16" (or '
        '"bf16"), or put class pictures into the folder yourself. Those drawn are kept. '
        f"({safe_text(error, limit=200)})"
    )
