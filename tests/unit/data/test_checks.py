"""The checks of pictures: what is remarked on, by name, and that ordinary pictures are left alone."""

import json
from itertools import pairwise

import numpy
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dbtui.cli.app import run
from trainer_core.data import decoded
from trainer_core.data.duplicates import MOST_BITS, find_near_copies
from trainer_core.data.quality import likeness, measure, sharpness


def photograph(seed: int, size=(720, 540)) -> Image.Image:
    """Something like a photograph: things of all sizes that cover each other ("dead leaves"), and some grain."""
    random = numpy.random.RandomState(seed)
    picture = Image.new("RGB", size, (120, 120, 120))
    draw, scale = ImageDraw.Draw(picture), min(size)
    for _ in range(200):
        radius = scale * min(0.5, 0.02 / random.uniform(0.05, 1))
        x, y = random.uniform(0, size[0]), random.uniform(0, size[1])
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=tuple(random.randint(20, 230, 3).tolist())
        )
    grain = Image.effect_noise(size, 12).convert("RGB")
    return ImageChops.add(picture, grain, offset=-128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six ordinary pictures, and one of each kind that is remarked on."""
    folder = tmp_path_factory.mktemp("data") / "1_sls frog"
    folder.mkdir()
    for number in range(6):
        photograph(number, [(720, 540), (512, 512), (600, 900)][number % 3]).save(folder / f"ok{number}.png")
    flat = Image.new("RGB", (600, 600), "white")  # a drawing in the middle of white
    flat.paste(photograph(50, (200, 200)), (200, 200))
    flat.save(folder / "ok-drawing.png")
    soft = photograph(51, (700, 700)).filter(ImageFilter.GaussianBlur(8))  # a sharp subject before a soft ground
    soft.paste(photograph(51, (700, 700)).crop((250, 250, 550, 550)), (250, 250))
    soft.save(folder / "ok-portrait.png")

    photograph(10, (600, 600)).filter(ImageFilter.GaussianBlur(4)).save(folder / "blurred.png")
    photograph(11, (1500, 1500)).filter(ImageFilter.GaussianBlur(8)).save(folder / "large-blurred.jpg")
    photograph(12, (300, 300)).save(folder / "small.png")
    photograph(13, (1800, 600)).save(folder / "wide.png")
    see_through = photograph(14, (600, 600)).convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize((600, 600)))
    see_through.save(folder / "transparent.png")
    (folder / "same.png").write_bytes((folder / "ok0.png").read_bytes())
    photograph(1, (512, 512)).resize((768, 768), Image.Resampling.LANCZOS).save(folder / "resized.png")
    photograph(2, (600, 900)).save(folder / "compressed.jpg", quality=50)
    photograph(3, (720, 540)).point(lambda value: min(255, value * 1.1)).save(folder / "lighter.png")
    return folder


EXPECTED = {
    ("blurred", "blurred.png"): None,
    ("blurred", "large-blurred.jpg"): None,
    ("low_resolution", "small.png"): None,
    ("extreme_shape", "wide.png"): None,
    ("transparent", "transparent.png"): None,
    ("copy", "same.png"): "ok0.png",
    ("near_copy", "resized.png"): "ok1.png",
    ("near_copy", "ok2.png"): "compressed.jpg",
    ("near_copy", "ok3.png"): "lighter.png",
}
CHEAP = ("low_resolution", "extreme_shape", "transparent")


def checks_of(folder, capsys, *options) -> dict:
    assert run(["scan", str(folder.parent), "--json", *options]) == 0
    report = json.loads(capsys.readouterr().out)
    return {
        (check["kind"], check["path"].rpartition("/")[2]): check["like"] and check["like"].rpartition("/")[2]
        for check in report["checks"]
    }


def test_each_kind_is_found_by_name_and_nothing_else(folder, capsys, monkeypatch):
    found = checks_of(folder, capsys, "--deep")
    assert found == EXPECTED

    monkeypatch.setattr(decoded, "load_picture", lambda path: pytest.fail(f"{path} is decoded again"))
    assert checks_of(folder, capsys, "--deep") == found
    assert checks_of(folder, capsys) == {key: like for key, like in found.items() if key[0] in CHEAP}


def test_remarks_name_the_files_and_are_no_problem(folder, capsys):
    assert run(["scan", str(folder.parent), "--deep"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "smaller than the training size, will be enlarged: 1 picture (small.png)",
        "blurred or without detail, which is learned as well: 2 pictures (blurred.png, large-blurred.jpg)",
        "transparent, laid on white, which may be learned as an outline: 1 picture (transparent.png)",
        "longer than 2.5 : 1, so that much is cropped away or little detail is left: 1 picture (wide.png)",
        "nearly the same as others, which therefore count more: 3 pictures (",
        "ready to train on",
    ):
        assert words in out


@pytest.mark.parametrize(("resolution", "small"), [("256", set()), ("512", {"small.png"}), ("1024,512", None)])
def test_low_resolution_is_measured_by_the_training_size(folder, capsys, resolution, small):
    found = {
        name for kind, name in checks_of(folder, capsys, "--resolution", resolution) if kind == "low_resolution"
    }
    if small is None:
        assert {"small.png", "ok0.png", "ok1.png"} <= found
        assert "wide.png" not in found
    else:
        assert found == small


@pytest.mark.parametrize("size", [(400, 400), (1500, 1000)])
def test_sharpness_falls_with_every_blur(size):
    picture = photograph(20, size).convert("L")
    values = [
        sharpness(picture.filter(ImageFilter.GaussianBlur(radius * min(size) / 512))) for radius in (0, 1, 2, 4)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 60
    assert values[3] < 20


def test_sharpness_is_the_variance_of_the_laplacian():
    values = numpy.asarray(photograph(21, (96, 96)).convert("L")).astype(int)
    centre = values[1:-1, 1:-1]
    laplacian = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * centre
    edges = [94 * number // 8 for number in range(9)]
    tiles = sorted(
        (laplacian[y0:y1, x0:x1].clip(-128, 127) ** 2).mean()
        for y0, y1 in pairwise(edges)
        for x0, x1 in pairwise(edges)
    )
    assert sharpness(Image.fromarray(values.astype(numpy.uint8))) == pytest.approx(tiles[-4])


def test_near_copies_are_found_among_many_and_plain_pictures_are_not_alike():
    pictures = {f"{seed}": photograph(seed, (64, 64)).convert("L") for seed in range(60)}
    hashes = {name: likeness(picture) for name, picture in pictures.items()}
    assert find_near_copies(hashes) == {}
    for bits in (1, MOST_BITS, MOST_BITS + 1):
        changed = hashes["7"]
        for place in range(bits):
            changed ^= 1 << (place * 12 + 5) % 128
        expected = {"copy": "7"} if bits <= MOST_BITS else {}
        assert find_near_copies({**hashes, "copy": changed}) == expected
    plain = {colour: likeness(Image.new("L", (64, 64), colour)) for colour in range(0, 256, 50)}
    assert find_near_copies(plain) == {}


def test_measuring_does_not_depend_on_the_mode_or_size():
    for size in ((32, 32), (32, 256), (33, 47)):
        assert measure(photograph(3, size)).likeness < 1 << 128
