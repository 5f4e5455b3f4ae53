"""Drawing the class pictures that are missing, with the start model as it is, before it is trained."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from trainer_core.config.schema import Prior, Prompt
from trainer_core.data.dataset import ClassPicture, ClassPictures, Size
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.atomic import write_text
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopRequestedError
from trainer_core.text import safe_text
from trainer_core.train.preview import draw_together, save_picture
from trainer_core.train.throttle import throttled


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
    as it would have been now. The model is on the CPU afterwards.

    Raises:
        UserError: a picture cannot be written (code DISK), or a batch needs too much memory (code OUT_OF_MEMORY).
    """
    done = sum(each.present for each in drawn)
    total = done + sum(len(each.missing) for each in drawn)
    events.emit("phase", name="class_images", total=total)
    tell = throttled(lambda done, total: events.emit("progress", phase="class_images", done=done, total=total))
    tell(done, total)
    _place(model, device)
    try:
        for folder, batch in _batches(drawn, prior):
            if should_stop():
                return False
            prompts = [prompt for _, prompt in batch]
            pictures = draw_together(
                model, prompts, size, device, clip_skip=clip_skip, autocast=autocast, should_stop=should_stop
            )
            folder.mkdir(parents=True, exist_ok=True)
            for (wanted, prompt), picture in zip(batch, pictures, strict=True):
                if wanted.caption is not None:
                    write_text(wanted.caption, wanted.words + "\n")
                save_picture(picture, wanted.path, prompt, None)
            done += len(batch)
            tell(done, total)
    except StopRequestedError:
        return False
    except torch.OutOfMemoryError as error:
        raise UserError(_too_much(prior, error), ExitCode.OUT_OF_MEMORY) from error
    except OSError as error:
        text = f"a class picture could not be written ({safe_text(error)}): free some space or name another folder"
        raise UserError(text, ExitCode.DISK) from error
    finally:
        _place(model, torch.device("cpu"))
    return True


def _batches(
    drawn: Sequence[ClassPictures], prior: Prior
) -> Iterator[tuple[Path, list[tuple[ClassPicture, Prompt]]]]:
    for each in drawn:
        for start in range(0, len(each.missing), prior.sample_batch_size):
            batch = each.missing[start : start + prior.sample_batch_size]
            yield each.folder, [(picture, _prompt(picture, each, prior)) for picture in batch]


def _prompt(picture: ClassPicture, drawn: ClassPictures, prior: Prior) -> Prompt:
    return Prompt(
        prompt=picture.prompt,
        negative_prompt=drawn.negative_prompt,
        seed=picture.seed,
        steps=prior.infer_steps,
        guidance_scale=prior.guidance_scale,
    )


def _place(model: Any, device: torch.device) -> None:
    for module in (model.unet, model.text_encoder, model.vae):
        module.to(device).eval()
    if device.type == "cpu" and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _too_much(prior: Prior, error: BaseException) -> str:
    if prior.sample_batch_size > 1:
        way_out = f"lower prior.sample_batch_size (it is {prior.sample_batch_size})"
    else:
        way_out = 'set memory.mixed_precision = "fp16", or put class pictures into the folder yourself'
    return f"There was not enough memory to draw class pictures: {way_out}. ({safe_text(error, limit=200)})"
