"""What a training writes: models, its complete state, previews."""

import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trainer_core.config.schema import Prompt, Sample
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventWriter
from trainer_core.run.stop_signals import StopRequestedError, never
from trainer_core.saves import ENDINGS, names_until
from trainer_core.text import safe_text
from trainer_core.train.job import Job, leave_the_device
from trainer_core.train.out_of_memory import free_memory, is_out_of_memory
from trainer_core.train.patience import Patience, way_back
from trainer_core.train.preview import draw, save_picture
from trainer_core.train.result import save_result
from trainer_core.train.state_saver import StateSaver
from trainer_core.train.states import States


@dataclass(slots=True)
class Outputs:
    """Writes what the person came for, and tells each of it as an event.

    Attributes:
        in_loop: whether steps follow, so that the phase after writing is "train" again.
        should_stop: asked in the middle of a preview; what is written is always finished.
        models: paths of the models saved on the way, oldest first; `save.keep_last` counts these.
        states: the complete states.
    """

    job: Job
    run: RunDirectory
    events: EventWriter
    should_stop: Callable[[], bool] = never
    in_loop: bool = False
    models: list[list[Path]] = field(default_factory=list)
    states: States = field(init=False)
    _models_fail: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self.states = States(self.job, self.events, StateSaver(self.run.checkpoints))

    def save_model(self, name: str) -> list[Path]:
        """Write the model as it is now into the output folder, read back and verified; return its paths."""
        self.job.settle()
        started = time.monotonic()
        folder = self._folder()
        with self.phase("save"):
            _make(folder)
            with self.job.kept_weights():
                saved = save_result(self.job, folder / name)
            seconds = round(time.monotonic() - started, 3)
            path = str(saved.paths[0])
            self.events.emit("saved", step=self.job.step, path=path, seconds=seconds, bytes=saved.bytes)
        return saved.paths

    def save_final_model(self, name: str) -> list[Path]:
        """Write the finished model; where the disk does not take it, the state, so that a resume writes it."""
        try:
            return self.save_model(name)
        except UserError as error:
            if error.code is not ExitCode.DISK:
                raise
            self.save_last_state()
            raise UserError([*error.problems, way_back(self.job.step)], error.code) from error

    def save_model_on_the_way(self, name: str) -> list[Path]:
        """Write a model during the training and remove the oldest of these beyond `save.keep_last`.

        A disk or a main memory without room for it is a warning while an earlier state stands: then no path is
        returned. Raises UserError(DISK or OUT_OF_MEMORY) otherwise, and after too many failures in a row.
        """
        try:
            paths = self.save_model(name)
        except Exception as error:
            failure = _no_room(error)
            if failure is None:
                raise
            if self.states.saver.fallback() is None:
                self.save_last_state()  # smaller than the model, perhaps, and worth more
            self._warn("model_not_saved", self._models_fail.bear(failure, self.states.saver.fallback()))
            self.resume_phase()
            return []
        self._models_fail.worked()
        self.models = [kept for kept in self.models if kept != paths] + [paths]
        keep = self.job.config.save.keep_last
        while keep is not None and len(self.models) > keep:
            for path in self.models.pop(0):
                _remove(path)
        return paths

    def remember_models(self) -> None:
        """Find the models that an earlier part of this run saved on the way, for `save.keep_last`."""
        save, folder = self.job.config.save, self._folder()
        for name in names_until(save, self.job.samples.order.steps_per_epoch, self.job.step):
            found = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").exists()]
            if found:
                self.models.append(found)

    def save_state(self) -> None:
        """Save the complete state, unless that of this very step is; the training goes on meanwhile."""
        if not self.has_state():
            with self.phase("save"):
                self.states.save()

    def save_last_state(self) -> None:
        """Save the complete state before something ends; it stands when this returns."""
        with self.phase("save"):
            self.states.save_last()

    def has_state(self) -> bool:
        """Tell whether the complete state of this step is saved, or being saved."""
        return self.states.has()

    def draw_previews(self) -> int:
        """Draw the pictures of every prompt of [sample]; return how many were made.

        Those that do not fit into memory or on the disk are left out with a warning; a stop abandons the one under
        way, between two of its steps, and those behind it.
        """
        job, drawn = self.job, 0
        pictures = pictures_of(job.config.sample)
        try:
            with self.phase("sample", total=len(pictures)), job.kept_weights():
                job.model.vae.to(job.device)
                job.model.text_encoder.to(job.device).eval()
                job.model.unet.to(job.device).eval()
                too_large = math.inf
                for number, prompt in enumerate(pictures):
                    if self._pixels(prompt) < too_large and self._draws(number, prompt):
                        drawn += 1
                    else:
                        too_large = min(too_large, self._pixels(prompt))
            if drawn < len(pictures):
                self._tell_left_out(len(pictures) - drawn)
        except StopRequestedError:
            self.resume_phase()
        except Exception as error:
            if is_out_of_memory(error):
                self._tell_left_out(len(pictures) - drawn)
            elif isinstance(error, OSError):
                self._warn("preview_not_written", f"a preview could not be written: {safe_text(error)}")
            else:
                raise
            self.resume_phase()
        finally:
            job.model.unet.train()
            job.model.text_encoder.train(job.conditioning.trained)
            leave_the_device(job)
        return drawn

    def has_model(self, name: str) -> bool:
        """Tell whether the model `name` is in the output folder."""
        return any((self._folder() / f"{name}{ending}").exists() for ending in ENDINGS)

    def has_previews(self) -> bool:
        """Tell whether every preview of this step is there."""
        count = len(pictures_of(self.job.config.sample))
        return all(self._preview(number).exists() for number in range(count))

    def _preview(self, number: int) -> Path:
        return self.run.samples / f"{self.job.step:06d}-{number}.png"

    def _folder(self) -> Path:
        chosen = self.job.config.save.output_dir
        return Path(chosen) if chosen else self.run.output

    def _draws(self, number: int, prompt: Prompt) -> bool:
        """Draw one preview; tell whether it fitted into memory."""
        try:
            self._draw(number, prompt)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            return True
        free_memory()  # the error, whose frames held the tensors, is gone here
        return False

    def _pixels(self, prompt: Prompt) -> int:
        width, height = self.job.config.dataset.resolution
        return (prompt.width or width) * (prompt.height or height)

    def _tell_left_out(self, count: int) -> None:
        text = (
            f"there was not enough memory for {count} of the previews, which were left out; the training goes on"
        )
        self._warn("preview_out_of_memory", f"{text}. A width and height of their own would make them smaller")

    def _draw(self, number: int, prompt: Prompt) -> None:
        job = self.job
        picture = draw(
            job.model,
            prompt,
            job.config.dataset.resolution,
            job.device,
            clip_skip=job.config.model.clip_skip,
            autocast=job.precision.autocast(job.device),
            should_stop=self.should_stop,
        )
        path = self._preview(number)
        save_picture(picture, path, prompt, job.step)
        relative = str(path.relative_to(self.run.path))
        self.events.emit("sample", step=job.step, path=relative, prompt=prompt.prompt, seed=prompt.seed)

    def _warn(self, code: str, text: str) -> None:
        self.events.emit("warning", code=code, text=text, step=self.job.step)

    @contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[None]:
        """Tell that something other than steps goes on while it lasts."""
        self.events.emit("phase", name=name, total=total)
        yield
        self.resume_phase()

    def resume_phase(self) -> None:
        """Tell that steps follow, where they do."""
        if self.in_loop:
            self.events.emit("phase", name="train", total=self.job.samples.total_steps)


def pictures_of(sample: Sample) -> list[Prompt]:
    """Return every picture to draw: each prompt `num_per_prompt` times, its seed counting up."""
    return [
        prompt.model_copy(update={"seed": prompt.seed + more})
        for prompt in sample.prompts
        for more in range(sample.num_per_prompt)
    ]


def _no_room(error: Exception) -> UserError | None:
    """Return what to tell where `error` is a disk or main memory without room, else None."""
    if isinstance(error, UserError):
        return error if error.code is ExitCode.DISK else None
    if not is_out_of_memory(error):
        return None
    text = f"the model could not be saved: there was not enough main memory ({safe_text(error, limit=200)})"
    return UserError(f"{text}; free some, or set save.precision to a smaller type", ExitCode.OUT_OF_MEMORY)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{safe_text(folder)} cannot be made ({safe_text(error)}): set save.output_dir to another folder."
        raise UserError(text, ExitCode.DISK) from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
