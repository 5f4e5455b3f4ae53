"""Pictures as the trainer gets them: upright, RGB, 8 bits, transparency on white, whole."""

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from trainer_core.data import images
from trainer_core.data.buckets import fit
from trainer_core.data.images import BadPictureError, load_picture, prepare_picture, probe

RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture
def save(tmp_path: Path, encode):
    def save(image: Image.Image, form: str = "PNG", name: str = "", **options) -> Path:
        path = tmp_path / (name or f"a.{form.lower()}")
        path.write_bytes(encode(form, image=image, **options))
        return path

    return save


def red_left_of_blue() -> Image.Image:
    image = Image.new("RGB", (64, 40), RED)
    image.paste(BLUE, (32, 0, 64, 40))
    return image


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def close_to(pixel, colour) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (64, 40), (5, 20)),
        (2, (64, 40), (58, 20)),
        (3, (64, 40), (58, 20)),
        (4, (64, 40), (5, 20)),
        (5, (40, 64), (20, 5)),
        (6, (40, 64), (20, 5)),
        (7, (40, 64), (20, 58)),
        (8, (40, 64), (20, 58)),
        (99, (64, 40), (5, 20)),
    ],
)
def test_orientation_is_applied_in_the_header_and_in_the_pixels(save, form, orientation, size, red_at):
    path = save(red_left_of_blue(), form, exif=exif(orientation))
    picture = load_picture(path)
    assert probe(path).size == picture.size == size
    assert close_to(picture.getpixel(red_at), RED)


def test_orientation_behind_the_pixels_of_a_png_counts(save):
    path = save(red_left_of_blue(), exif=exif(6))
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", data[start : start + 4])[0]
    path.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    assert probe(path).size == load_picture(path).size == (40, 64)


def test_corrupt_exif_means_upright(save):
    path = save(red_left_of_blue(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert probe(path).size == load_picture(path).size == (64, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB+key"])
def test_transparency_is_laid_on_white_and_never_shows_what_it_hides(save, mode):
    image = Image.new("RGBA", (64, 64), (*RED, 0))
    image.paste((*BLUE, 255), (0, 0, 64, 32))
    options = {}
    if mode == "P":
        image = Image.new("P", (64, 64), 1)
        image.putpalette([*BLUE, *RED])
        image.paste(0, (0, 0, 64, 32))
        options = {"transparency": 1}
    elif mode == "RGB+key":
        image, options = image.convert("RGB"), {"transparency": RED}
    elif mode == "LA":
        image = image.convert("LA")
    path = save(image, **options)
    picture = load_picture(path)
    assert probe(path).alpha
    assert picture.mode == "RGB"
    assert picture.getpixel((5, 60)) == (255, 255, 255)
    assert picture.getpixel((5, 5)) != (255, 255, 255)


def test_half_transparency_is_mixed_with_white(save):
    path = save(Image.new("RGBA", (64, 64), (0, 0, 0, 128)))
    assert close_to(load_picture(path).getpixel((1, 1)), (127, 127, 127))


def test_sixteen_bits_keep_their_brightness(save):
    ramp = Image.frombytes("I;16", (256, 64), b"".join(struct.pack("<H", i * 257) for i in range(256)) * 64)
    path = save(ramp)
    picture = load_picture(path)
    assert [picture.getpixel((x, 3)) for x in (0, 1, 128, 255)] == [(v, v, v) for v in (0, 1, 128, 255)]


def test_sixteen_bit_colour_is_read(tmp_path):
    row = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0x0100) * 64
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 64)),
        (b"IEND", b""),
    )
    parts = [struct.pack(">I", len(b)) + kind + b + struct.pack(">I", zlib.crc32(kind + b)) for kind, b in chunks]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert load_picture(tmp_path / "a.png").getpixel((9, 9)) == (255, 128, 1)


def grey_print_profile() -> bytes:
    """A CMYK profile that turns every ink into the same grey (ICC.1, lut8Type)."""
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut += bytes(range(256)) * 4 + bytes((137, 128, 128)) * 16 + bytes(range(256)) * 3
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags, body, offset = b"", b"", 128 + 4 + 12 * 3
    for name, data in ((b"desc", text), (b"wtpt", white), (b"A2B0", lut)):
        data += bytes(-len(data) % 4)
        tags += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", 3) + tags + body


def test_printing_colours_go_through_their_profile(save):
    ink = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    plain = save(ink, "JPEG", name="plain.jpg")
    profiled = save(ink, "JPEG", name="profiled.jpg", icc_profile=grey_print_profile())
    damaged = save(ink, "JPEG", name="damaged.jpg", icc_profile=b"no profile at all")
    assert probe(plain).cmyk
    assert close_to(load_picture(plain).getpixel((9, 9)), (255, 0, 0))
    red, green, blue = load_picture(profiled).getpixel((9, 9))
    assert red == green == blue  # how dark depends on the black point, which lcms compensates
    assert close_to(load_picture(damaged).getpixel((9, 9)), (255, 0, 0))


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(save, form):
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    path = save(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    assert probe(path).animated
    assert close_to(load_picture(path).getpixel((9, 9)), RED)


def test_a_still_picture_is_not_animated(save):
    for form in ("GIF", "PNG", "WEBP", "JPEG", "BMP", "AVIF"):
        header = probe(save(red_left_of_blue(), form))
        assert (header.animated, header.form, header.size, header.misnamed) == (False, form, (64, 40), False)


def test_a_wrong_suffix_is_no_obstacle(save):
    path = save(red_left_of_blue(), "PNG", name="a.jpg")
    assert probe(path).misnamed
    assert load_picture(path).getpixel((1, 1)) == RED


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_bytes_behind_the_end_are_allowed(save, form):
    path = save(red_left_of_blue(), form)
    path.write_bytes(path.read_bytes() + b"appended film" * 100)
    assert probe(path).size == load_picture(path).size


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(save):
    thumbnail = io.BytesIO()
    Image.new("RGB", (32, 32)).save(thumbnail, "JPEG")
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    path = save(noise, "JPEG", exif=b"Exif\0\0" + thumbnail.getvalue())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(BadPictureError, match="cut off"):
        probe(path)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF"])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.61, 0.95])
def test_a_cut_is_found_without_decoding(save, form, part):
    path = save(Image.effect_noise((120, 90), 90).convert("RGB"), form)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(BadPictureError):
        probe(path)


def test_no_permission_is_a_reason(save, monkeypatch):
    path = save(red_left_of_blue())

    def refuse(self, *_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadPictureError, match="Permission denied"):
        probe(path)


def test_prepare_crops_the_centre_and_averages_when_shrinking():
    stripes = Image.new("RGB", (256, 128))
    for x in range(0, 256, 2):
        stripes.paste((255, 255, 255), (x, 0, x + 1, 128))
    small = prepare_picture(stripes, (64, 64))
    assert small.size == (64, 64)
    assert all(abs(value - 128) <= 1 for value in small.getpixel((30, 30)))
    picture = red_left_of_blue()
    assert prepare_picture(picture, (64, 40)).tobytes() == picture.tobytes()
    enlarged = prepare_picture(picture, (128, 128))
    assert close_to(enlarged.getpixel((2, 64)), RED)
    assert close_to(enlarged.getpixel((125, 64)), BLUE)


def test_a_picture_that_changed_since_the_scan_is_not_distorted():
    with pytest.raises(BadPictureError, match="64 x 40 pixels then, 40 x 64 now"):
        prepare_picture(Image.new("RGB", (40, 64)), fit((64, 40), (64, 64)))


HEIF_HEAD = b"\0\0\0\x18ftypheic" + bytes(100)


@pytest.fixture
def _looked_for_again():
    """Forget whether pillow_heif is installed, before and after."""
    images._can_read_heif.cache_clear()
    yield
    images._can_read_heif.cache_clear()


@pytest.mark.usefixtures("_looked_for_again")
def test_without_pillow_heif_a_heic_is_told_how_it_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    (tmp_path / "a.heic").write_bytes(HEIF_HEAD)
    with pytest.raises(BadPictureError, match=r"HEIC or HEIF file, which is not read.*dbtui\[heif\]"):
        probe(tmp_path / "a.heic")


@pytest.mark.usefixtures("_looked_for_again")
@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "a.jpg"])
def test_with_pillow_heif_a_heic_is_a_picture(tmp_path, encode, scan, name):
    pytest.importorskip("pillow_heif").register_heif_opener()
    folder = tmp_path / "train" / "1_sls frog"
    folder.mkdir(parents=True)
    data = encode("HEIF", image=red_left_of_blue(), exif=exif(6), quality=95)
    (folder / name).write_bytes(data)
    header = probe(folder / name)
    assert (header.form, header.size, header.misnamed) == ("HEIF", (40, 64), name.endswith("jpg"))
    picture = load_picture(folder / name)
    assert (picture.mode, picture.size) == ("RGB", (40, 64))
    assert close_to(picture.getpixel((20, 5)), RED)
    assert close_to(picture.getpixel((20, 58)), BLUE)
    assert [each.size for each in scan(tmp_path / "train", deep=True).train[0].pictures] == [(40, 64)]
    (folder / name).write_bytes(data[:-20])
    with pytest.raises(BadPictureError, match="cut off or damaged"):
        probe(folder / name)
