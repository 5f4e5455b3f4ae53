"""A WD tagger: which tags, in which order and spelling, and what is refused."""

import sys
from pathlib import Path

import numpy
import pytest
from PIL import Image

from trainer_core.captioning.captioner import open_captioner
from trainer_core.errors import ExitCode, UserError

GREEN, DARK = (0, 250, 0), (10, 20, 30)


def opened(path: Path, threshold: float | None = None, replace_underscores: bool | None = None):
    return open_captioner(
        str(path), threshold=threshold, replace_underscores=replace_underscores, progress=lambda text: None
    )


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_tags_above_the_threshold_general_ones_first(tagger):
    captioner = opened(tagger())
    assert captioner.describe([plain(GREEN), plain(DARK), plain((255, 255, 255))]) == [
        "green frog, ^_^",
        "",
        "green frog, red hair, ^_^, sls (character)",
    ]


def test_threshold_and_underscores(tagger):
    folder = tagger()
    mixed = plain((100, 60, 240))
    assert opened(folder, threshold=0.2).describe([mixed]) == ["green frog, red hair, ^_^, sls (character)"]
    assert opened(folder, threshold=0.3).describe([mixed]) == ["red hair, sls (character)"]
    assert opened(folder, threshold=0.9, replace_underscores=False).describe([mixed]) == ["sls_(character)"]


def test_pictures_are_squared_with_white_and_are_bgr(tagger):
    captioner = opened(tagger())
    values = captioner.pixels(plain((255, 0, 0), (16, 8)))
    assert values.shape == (8, 8, 3)
    assert (values[0] == 255).all()
    assert numpy.abs(values[4] - [0, 0, 255]).max() <= 1


def test_a_model_of_a_fixed_batch(tagger):
    captioner = opened(tagger(batch=2))
    assert captioner.describe([plain(GREEN)] * 3) == ["green frog, ^_^"] * 3


def test_the_file_itself_may_be_named(tagger):
    assert opened(tagger() / "model.onnx").describe([plain(GREEN)]) == ["green frog, ^_^"]


def test_what_is_no_tagger(tagger, tmp_path):
    folder = tagger("short", tags=[("a", "0", "red")])
    with pytest.raises(UserError, match="has 1 tags, but the model gives 6") as told:
        opened(folder)
    assert told.value.code is ExitCode.MODEL
    with pytest.raises(UserError, match="this is no WD tagger"):
        opened(tagger("flat", shape=["N", 8, 4, 3]))
    (tagger("bare") / "selected_tags.csv").unlink()
    with pytest.raises(UserError, match="belongs beside the model"):
        opened(tmp_path / "bare")
    (tmp_path / "bare/selected_tags.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no list of tags"):
        opened(tmp_path / "bare")
    (tagger("damaged") / "model.onnx").write_bytes(b"no onnx")
    with pytest.raises(UserError, match="cannot be opened by onnxruntime"):
        opened(tmp_path / "damaged")


def test_without_onnxruntime(tagger, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'dbtui\[tagger\]'") as told:
        opened(tagger())
    assert told.value.code is ExitCode.CONFIG


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "holds no model that writes captions"),
        (lambda path: path.write_bytes(b""), "captions are written by a BLIP folder"),
        (lambda path: None, "there is no such file or folder"),
        (
            lambda path: (path.mkdir(), (path / "config.json").write_text('{"model_type": "clip"}')),
            "a model of the kind clip",
        ),
    ],
)
def test_what_writes_no_captions(tmp_path, make, words):
    make(tmp_path / "some.model")
    with pytest.raises(UserError, match=words) as told:
        opened(tmp_path / "some.model")
    assert told.value.code is ExitCode.MODEL
