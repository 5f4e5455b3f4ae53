"""BLIP from a local folder: its own preprocessing agrees with the library's, and its captions with generate's."""

import json
import shutil

import numpy
import pytest
import torch
from PIL import Image

from trainer_core.captioning.captioner import open_captioner
from trainer_core.errors import ExitCode, UserError


@pytest.fixture(scope="module")
def captioner(blip):
    return open_captioner(str(blip), threshold=None, replace_underscores=None, progress=lambda text: None)


@pytest.fixture(scope="module")
def noise() -> list[Image.Image]:
    values = numpy.random.RandomState(0).randint(0, 256, (2, 40, 60, 3), dtype=numpy.uint8)
    return [Image.fromarray(each) for each in values]


def test_pixels_are_those_of_the_library(captioner, noise, blip):
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    library = BlipImageProcessorPil.from_pretrained(blip)(noise, return_tensors="pt")["pixel_values"]
    assert torch.allclose(torch.stack([captioner.pixels(each) for each in noise]), library, atol=1e-5)


def test_captions_are_those_of_the_library_without_marks(captioner, noise):
    model, pixels = captioner.model, torch.stack([captioner.pixels(each) for each in noise])
    rows = model.generate(pixel_values=pixels, max_new_tokens=75, num_beams=3, do_sample=False)
    marks = {0, 1, 2, 3, 4, 13}  # those in brackets, and BLIP's own start
    words = captioner.tokenizer.convert_ids_to_tokens
    expected = [" ".join(words([i for i in row if i not in marks])).replace(" ##", "") for row in rows.tolist()]
    assert captioner.describe(noise) == expected
    assert all(expected)


def test_a_caption_depends_on_its_picture_alone(captioner, noise):
    assert captioner.describe(noise) == [captioner.describe([each])[0] for each in noise]


def test_options_of_taggers_are_refused(blip):
    with pytest.raises(UserError, match="--threshold is for taggers") as told:
        open_captioner(str(blip), threshold=0.5, replace_underscores=None, progress=lambda text: None)
    assert told.value.code is ExitCode.CONFIG


def test_a_damaged_folder(blip, tmp_path):
    folder = shutil.copytree(blip, tmp_path / "blip")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be loaded as BLIP") as told:
        open_captioner(str(folder), threshold=None, replace_underscores=None, progress=lambda text: None)
    assert told.value.code is ExitCode.MODEL
    assert json.loads((folder / "config.json").read_text())["model_type"] == "blip"
