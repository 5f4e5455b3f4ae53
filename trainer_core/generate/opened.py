"""The weights to draw with: as they were trained, and as they were before."""

from collections.abc import Callable
from typing import Any, Literal

import torch

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.config.schema import TextEncoder
from trainer_core.generate.base import find_base
from trainer_core.generate.request import Request
from trainer_core.generate.source import Source
from trainer_core.generate.state_weights import put_checkpoint
from trainer_core.models.load import load_model
from trainer_core.models.lora.adapters import Adapters
from trainer_core.models.lora.build import loaded_adapters, modules_of
from trainer_core.train.reading import read_texts
from trainer_core.train.zero_terminal import rescaled, scheduler_config_for

Tell = Callable[[str], None]
_TOKEN_LENGTHS: dict[str, Literal[75, 150, 225]] = {"75": 75, "150": 150, "225": 225}


class Opened:
    """Loads what is asked for, one model at a time: a second one would need the memory twice.

    Attributes:
        clip_skip: as it was trained.
    """

    def __init__(self, source: Source, request: Request, progress: Tell) -> None:
        self.source = source
        self.clip_skip = _clip_skip(source)
        self._notes: list[str] = []
        self._told = 0
        self._progress = progress
        self._base: ModelSettings | None = None
        if source.kind != "model" or request.compare:
            found = find_base(source, request, progress)
            self._base = found.settings
            self._notes += [found.note] if found.note else []
        self._model: Any = None
        self._adapters: Adapters | None = None

    def trained(self) -> Any:
        """Return the model with what was learned."""
        source = self.source
        if source.kind == "model":
            tokenizer = source.config.model.tokenizer if source.config else None
            return self._load(ModelSettings(base=source.named, tokenizer=tokenizer))
        model = self._load(self._base)
        if source.kind == "lora":
            self._adapters = loaded_adapters(model, source.path, text_encoder=None)
            self._adapters.attach(modules_of(model, conv=True, text_encoder=True))
        else:
            self._adapters = put_checkpoint(source, model)
        return model

    def untrained(self) -> Any:
        """Return the start model."""
        if self._adapters is not None:
            self._adapters.detach()
            return self._model
        self._model = None
        return self._load(self._base)

    def new_notes(self) -> list[str]:
        """Return what the person should know and was not returned before."""
        new, self._told = self._notes[self._told :], len(self._notes)
        return new

    def place(self, device: torch.device, dtype: torch.dtype) -> None:
        """Put the model on the device; the VAE stays float32, as half precision is too narrow for it."""
        model = self._model
        model.unet.to(device, dtype).eval()
        model.text_encoder.to(device, dtype).eval()
        model.vae.to(device).eval()
        if self._adapters is not None:
            self._adapters.to(device, dtype)

    def _load(self, settings: ModelSettings | None) -> Any:
        if settings is None:
            raise RuntimeError("no start model was looked for")
        model = load_model(settings, progress=self._progress)
        self._notes += [note for note in model.notes if note not in self._notes]
        read_texts(model, _text_settings(self.source), self.clip_skip)
        if self.source.config is not None:
            loss = self.source.config.loss
            model.scheduler_config = scheduler_config_for(loss, model.prediction, model.scheduler_config)
        elif self.source.metadata.get("ss_zero_terminal_snr") == "True":
            model.scheduler_config = rescaled(model.scheduler_config)
        self._model = model
        return model


def _clip_skip(source: Source) -> int | None:
    """Return the setting of the training, which the text encoder's weights expect."""
    if source.config is not None:
        return source.config.model.clip_skip
    said = source.metadata.get("ss_clip_skip", "")
    return int(said) if said.isascii() and said.isdecimal() and 1 <= int(said) <= 12 else None


def _text_settings(source: Source) -> TextEncoder:
    if source.config is not None:
        return source.config.text_encoder
    length = _TOKEN_LENGTHS.get(source.metadata.get("ss_max_token_length", ""))
    return TextEncoder(max_token_length=length) if length else TextEncoder()
