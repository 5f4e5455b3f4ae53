"""Draws what is asked for, some pictures at a time, and writes each as soon as it is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from trainer_core.config.schema import Prompt
from trainer_core.data.dataset import Size
from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.names import FreeNames, Of
from trainer_core.generate.opened import Opened
from trainer_core.generate.request import Precision as Wanted
from trainer_core.generate.request import Request, pictures_of
from trainer_core.generate.source import Source
from trainer_core.text import safe_text
from trainer_core.train.out_of_memory import Portions, is_out_of_memory
from trainer_core.train.precision import Precision
from trainer_core.train.preview import draw_together, save_picture

_TYPES = {"float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_AT_ONCE = 4
"""Pictures drawn together on a GPU; on a CPU that gains nothing."""


def draw_all(source: Source, request: Request, emit: Callable[..., None]) -> None:
    """Draw and write every picture, those of the start model last; tell each as an event.

    Raises:
        UserError: anything is in the way; what was written stays.
    """
    prompts = pictures_of(request)
    opened = Opened(source, request, lambda text: emit("phase", name="load", text=text))
    device = _device()
    precision = _precision(request.precision, device)
    kinds: tuple[Of, ...] = ("trained", "base") if request.compare else ("trained",)
    names = FreeNames(Path(request.out))
    work = _Work(prompts, device, precision, emit, total=len(prompts) * len(kinds))
    for of in kinds:
        model = opened.trained() if of == "trained" else opened.untrained()
        opened.place(device, precision.weights)
        for note in opened.new_notes():
            emit("note", text=note)
        title = source.title if of == "trained" else _name_of(model)
        emit("phase", name="draw", text=f"drawing with {safe_text(title, 80)}")
        by = _By(of, title, source.step if of == "trained" else None, opened.clip_skip)
        work.draw(model, by, _size(request, source, model), names)


@dataclass(frozen=True, slots=True)
class _By:
    """What draws: the trained model or the start model, and what a picture's metadata says of it."""

    of: Of
    title: str
    step: int | None
    clip_skip: int | None


@dataclass(slots=True)
class _Work:
    """The pictures to draw, and how far it is."""

    prompts: Sequence[Prompt]
    device: torch.device
    precision: Precision
    emit: Callable[..., None]
    total: int
    done: int = 0
    step: int = 0

    def draw(self, model: Any, by: _By, size: Size, names: FreeNames) -> None:
        """Draw and write every picture with one model."""

        def together(prompts: Sequence[Prompt]) -> list[Image.Image]:
            self.step = 0
            return draw_together(
                model,
                prompts,
                size,
                self.device,
                clip_skip=by.clip_skip,
                autocast=self.precision.autocast(self.device),
                should_stop=self._tell_step,
            )

        portions = Portions(_AT_ONCE if self.device.type == "cuda" else 1, self._tell_smaller)
        try:
            for batch, pictures in portions.of(self.prompts, together):
                for prompt, picture in zip(batch, pictures, strict=True):
                    path = names.path(self.done % len(self.prompts), by.of)
                    save_picture(picture, path, prompt, by.step, model=by.title)
                    self.done += 1
                    self.emit("picture", path=str(path), of=by.of, prompt=prompt.prompt, seed=prompt.seed)
                    self._warn_of_black(picture, path)
        except Exception as error:
            if explained := _explained(error):
                raise explained from error
            raise

    def _tell_step(self) -> bool:
        """Tell how far it is, as this is asked before each denoising step; what stops is a signal."""
        self.emit("progress", done=self.done, total=self.total, step=self.step, steps=self.prompts[0].steps)
        self.step += 1
        return False

    def _tell_smaller(self, at_once: int, reason: str) -> None:
        text = f"there was not enough memory for so many pictures at once: now at most {at_once} ({reason})"
        self.emit("note", text=text)

    def _warn_of_black(self, picture: Image.Image, path: Path) -> None:
        is_black = picture.convert("L").getextrema() == (0, 0)
        if is_black and self.precision.compute is not torch.float32:
            text = f"{safe_text(path.name)} is black: half precision may be too narrow for this model"
            self.emit("note", text=f"{text}; draw it with --precision float")


def _name_of(model: Any) -> str:
    return str(model.info.base) if model.info.is_hub_id else Path(model.info.base).stem


def _size(request: Request, source: Source, model: Any) -> Size:
    """Return the pictures' size: asked for, or trained at, or the family's own."""
    if request.size is not None:
        return request.size
    if source.config is not None:
        return source.config.dataset.resolution
    said = source.metadata.get("modelspec.resolution", "").split("x")
    sides = [int(side) for side in said if side.isascii() and side.isdecimal() and len(side) <= 4]
    if len(sides) == 2 and all(64 <= side <= 4096 and side % 64 == 0 for side in sides):
        return sides[0], sides[1]
    side = model.family.resolution(model.prediction)
    return side, side


def _device() -> torch.device:
    from accelerate import PartialState

    device: torch.device = PartialState().device
    return device


def _precision(wanted: Wanted, device: torch.device) -> Precision:
    """Return how is computed: on a GPU in half precision, as web UIs do; else in float32."""
    if wanted == "auto":
        wanted = "fp16" if device.type == "cuda" else "float"
    if wanted == "fp16" and device.type == "cpu":
        raise UserError("fp16 needs a GPU: draw with --precision float (or bf16)", ExitCode.CONFIG)
    kind = _TYPES[wanted]
    return Precision(weights=kind, compute=kind, scaled=False, base=kind)


def _explained(error: Exception) -> UserError | None:
    if is_out_of_memory(error):
        text = "There was not enough memory to draw a picture: choose a smaller --size, or --precision fp16."
        return UserError(f"{text} ({safe_text(error, limit=200)})", ExitCode.OUT_OF_MEMORY)
    if isinstance(error, OSError):
        text = (
            f"a picture could not be written ({safe_text(error)}): free some space or name another folder with -o"
        )
        return UserError(text, ExitCode.DISK)
    return None
