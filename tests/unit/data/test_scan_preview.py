"""`dbtui scan --preview`: contact sheets of what the trainer will see."""

import json

import numpy
import pytest
from PIL import Image, ImageDraw

from dbtui.cli.app import run
from trainer_core.config.schema import Config
from trainer_core.data.pixels import fetch_pixels
from trainer_core.plan import make_plan

RED, BLUE = (210, 30, 30), (30, 30, 210)


@pytest.fixture
def data(tmp_path):
    """22 wide pictures, red left of blue, the first with a caption; one that is damaged."""
    folder = tmp_path / "train" / "2_sls frog"
    folder.mkdir(parents=True)
    for number in range(22):
        picture = Image.new("RGB", (192, 96), RED)
        picture.paste(BLUE, (96, 0, 192, 96))
        picture.save(folder / f"{number:02}.png")
    (folder / "00.txt").write_text("sls frog, [bold]a\x1b[31m frog[/bold], smiling")
    Image.effect_noise((192, 96), 80).save(folder / "21.png")
    content = bytearray((folder / "21.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "21.png").write_bytes(bytes(content))
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """The texts that are drawn, in their order."""
    texts = []
    draw_text = ImageDraw.ImageDraw.text

    def text(self, at, words, *more, **named):
        texts.append(words)
        draw_text(self, at, words, *more, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return texts


def preview(data, *options) -> int:
    return run(["scan", str(data / "train"), "--resolution", "128", "--preview", str(data / "out"), *options])


@pytest.fixture
def pasted(monkeypatch):
    """The pictures that are put on sheets, in their order."""
    pictures = []
    paste = Image.Image.paste

    def keep(self, image, *more):
        if isinstance(image, Image.Image):
            pictures.append(image)
        paste(self, image, *more)

    monkeypatch.setattr(Image.Image, "paste", keep)
    return pictures


def test_every_picture_is_shown_after_crop_and_flip_with_size_name_and_text(data, drawn, pasted, capsys):
    assert preview(data, "--set", "dataset.flip_aug=true") == 0
    assert "wrote 2 contact sheets" in capsys.readouterr().err
    assert sorted(path.name for path in (data / "out").iterdir()) == ["sheet-001.png", "sheet-002.png"]
    assert [text for text in drawn if text.endswith(".png")] == [f"{number:02}.png" for number in range(22)]
    assert "sls frog, [bold]a\\x1b[31m frog[/bold], smiling" in " ".join(drawn)
    assert drawn.count("sls frog") == 21
    assert sum("damaged" in text for text in drawn) == 1
    mirrored = [text == "128 x 128   mirrored" for text in drawn if text.startswith("128 x 128")]
    assert len(mirrored) == 22
    assert {True, False} == set(mirrored)
    colours = [(picture.getpixel((20, 64)), picture.getpixel((108, 64))) for picture in pasted]
    assert colours == [(BLUE, RED) if flip else (RED, BLUE) for flip in mirrored[:21]]


def test_what_is_shown_is_what_the_first_step_trains_on(data, pasted):
    (data / "train" / "2_sls frog" / "21.png").unlink()
    changes = {"flip_aug": True, "random_crop": True, "color_aug": 0.2, "rotate_aug": 9.0, "cache_latents": "off"}
    options = [word for key, value in changes.items() for word in ("--set", f"dataset.{key}={str(value).lower()}")]
    assert preview(data, *options, "--set", "train.batch_size=3") == 0
    config = Config.model_validate(
        {
            "schema": 1,
            "dataset": {"train_dir": str(data / "train"), "resolution": [128, 128], **changes},
            "train": {"batch_size": 3},
        }
    )
    plan = make_plan(config, data)
    fetch = fetch_pixels(plan.items, plan.fits, config.dataset)
    first = {}
    for step in range(plan.order.steps_per_epoch):
        for number, micro in enumerate(plan.order.step(step)):
            for draw in plan.order.draws(step, number, micro):
                first.setdefault(draw.item, draw)
    assert len(pasted) == 21
    for item, picture in enumerate(pasted):
        pixels = (fetch(first[item])[0].permute(1, 2, 0).numpy() + 1) * 127.5
        assert numpy.abs(numpy.asarray(picture) - pixels).max() < 0.01


def test_buckets_and_settings_of_a_file_are_honoured(data, drawn, pasted, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(
        'schema = 1\n[dataset]\nresolution = [128, 128]\ncaption_prefix = "photo of"\n'
        "bucket = {enable = true, min_reso = 64, max_reso = 256}\n"
    )
    Image.new("RGB", (96, 192), BLUE).save(data / "train" / "2_sls frog" / "21.png")
    assert run(["scan", str(data / "train"), "--config", str(file), "--preview", str(data / "out")]) == 0
    sizes = {size: drawn.count(f"{size[0]} x {size[1]}") for size in {picture.size for picture in pasted}}
    assert sum(sizes.values()) == len(pasted) == 22
    assert sizes == {(128, 128): 21, (64, 192): 1}
    assert "photo of sls frog" in drawn


def test_sheets_of_an_earlier_call_are_replaced_and_other_files_are_left_alone(data, capsys):
    assert preview(data) == 0
    other = data / "out" / "holiday.png"
    Image.new("RGB", (9, 9)).save(other)
    before = (data / "out" / "sheet-001.png").read_bytes()
    for number in range(5, 22):
        (data / "train" / "2_sls frog" / f"{number:02}.png").unlink()
    assert preview(data) == 0
    assert sorted(path.name for path in (data / "out").iterdir()) == ["holiday.png", "sheet-001.png"]
    assert (data / "out" / "sheet-001.png").read_bytes() != before

    foreign = data / "out" / "sheet-001.png"
    Image.new("RGB", (9, 9)).save(foreign)
    content = foreign.read_bytes()
    capsys.readouterr()
    assert preview(data) == 2
    assert "sheet-001.png, which dbtui did not write" in capsys.readouterr().err
    assert foreign.read_bytes() == content


def test_a_folder_in_the_dataset_or_a_file_is_refused(data, capsys):
    for inside in (data / "train", data / "train" / "2_sls frog", data / "train" / "sheets"):
        assert run(["scan", str(data / "train"), "--preview", str(inside)]) == 2
        assert "lies in the dataset" in capsys.readouterr().err
    assert not list((data / "train").rglob("sheet-*"))
    (data / "out").touch()
    assert preview(data) == 2
    assert "is a file" in capsys.readouterr().err


def test_json_names_the_sheets(data, capsys):
    assert preview(data, "--json") == 0
    assert json.loads(capsys.readouterr().out)["preview"] == [
        str(data / "out" / f"sheet-00{number}.png") for number in (1, 2)
    ]


def test_a_file_names_the_folders_where_none_is_given(data, tmp_path, capsys):
    file = tmp_path / "run.toml"
    file.write_text(
        "schema = 1\n[dataset]\nresolution = [64, 64]\n"
        '[[concept]]\nidentifier = "sls"\nclass = "toad"\ninstance_dir = "train/2_sls frog"\n'
    )
    assert run(["scan", "--config", str(file), "--preview", str(data / "out")]) == 0
    out, err = capsys.readouterr()
    assert 'as "sls toad"' in out or "captions 1/22" in out
    assert "wrote 2 contact sheets" in err
    assert run(["scan", "--config", str(file), "--preview", str(data / "train" / "2_sls frog")]) == 2
    assert run(["scan"]) == 2
    assert "dbtui scan DIR" in capsys.readouterr().err


def test_without_a_picture_nothing_is_written(tmp_path, capsys):
    (tmp_path / "train").mkdir()
    assert preview(tmp_path) == 3
    assert "no picture to draw" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
