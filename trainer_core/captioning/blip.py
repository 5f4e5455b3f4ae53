"""BLIP (Li et al. 2022): a sentence about a picture, by beam search."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.quiet import quiet_imports
from trainer_core.text import safe_text

MAX_TOKENS = 75
"""As many as CLIP reads of a caption."""
BEAMS = 3

_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Blip:
    """A BlipForConditionalGeneration with its tokenizer, from a local folder."""

    separator = ", "

    def __init__(self, folder: Path) -> None:
        """Load the model on the GPU if there is one. Raises a UserError (code MODEL) if it cannot be loaded."""
        quiet_imports()
        from transformers import AutoTokenizer, BlipForConditionalGeneration
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.model: Any = BlipForConditionalGeneration.from_pretrained(folder, local_files_only=True)
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.size, self.mean, self.std, self.resample = _preprocessing(folder, self.model.config)
        except Exception as error:  # whatever transformers, safetensors and tokenizers raise on damaged files
            reason = safe_text((str(error).splitlines() or [type(error).__name__])[0], limit=300)
            raise UserError(f"{safe_text(folder)}: cannot be loaded as BLIP ({reason})", ExitCode.MODEL) from error
        self.model.to(self.device).eval()

    @torch.inference_mode()
    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """Return a sentence about each RGB picture."""
        pixels = torch.stack([self.pixels(picture) for picture in pictures]).to(self.device)
        rows = self.model.generate(
            pixel_values=pixels, max_new_tokens=MAX_TOKENS, num_beams=BEAMS, do_sample=False
        ).tolist()
        start = self.model.config.text_config.bos_token_id  # a token that not every tokenizer file knows
        texts = [row[1:] if row[:1] == [start] else row for row in rows]
        return [" ".join(self.tokenizer.decode(text, skip_special_tokens=True).split()) for text in texts]

    def pixels(self, picture: Image.Image) -> Tensor:
        """Return the picture as the model was trained on it, [3, H, W]: resized without cropping, normalized."""
        resized = picture.resize(self.size, self.resample)
        values = numpy.asarray(resized, dtype=numpy.float32) / 255
        return torch.from_numpy((values - self.mean) / self.std).permute(2, 0, 1)


def _preprocessing(folder: Path, config: Any) -> tuple[tuple[int, int], Any, Any, Image.Resampling]:
    """Return width and height, mean, deviation and filter from preprocessor_config.json, BLIP's own else."""
    file = folder / "preprocessor_config.json"
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    side = config.vision_config.image_size
    size = read.get("size", side)
    width, height = (size["width"], size["height"]) if isinstance(size, dict) else (size, size)
    mean = numpy.array(read.get("image_mean", _MEAN), dtype=numpy.float32)
    std = numpy.array(read.get("image_std", _STD), dtype=numpy.float32)
    return (int(width), int(height)), mean, std, Image.Resampling(read.get("resample", Image.Resampling.BICUBIC))
