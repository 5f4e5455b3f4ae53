"""One of each bad file in one folder: one report that names every file once, with its reason."""

import os
import random
from pathlib import Path

import pytest
from PIL import Image

from trainer_core.data import decoded
from trainer_core.data.images import BadPictureError, load_picture, probe, quiet_pillow
from trainer_core.data.scan import raise_for_faults
from trainer_core.errors import ExitCode, UserError

DEEP_ONLY = {"damaged.png"}
"""Damage inside the pixels, which only decoding finds."""


@pytest.mark.row(51)
@pytest.mark.parametrize("deep", [False, True])
def test_every_bad_file_is_named_once_with_its_reason(bad_folder, scan, deep):
    folder, expected = bad_folder
    result = scan(folder.parent, deep=deep)
    if not deep:
        expected = {name: reason for name, reason in expected.items() if name not in DEEP_ONLY}
    found = {fault.path.name: fault.text for fault in result.bad_images}
    assert set(found) == set(expected)
    assert len(result.bad_images) == len(found)
    assert {name: text for name, text in found.items() if expected[name] not in text} == {}
    assert result.faults == ()


@pytest.mark.row(51)
def test_good_pictures_beside_bad_ones_can_be_trained_on(bad_folder, scan):
    folder, _ = bad_folder
    result = scan(folder.parent, deep=True)
    assert [picture.path.name for picture in result.train[0].pictures] == ["0.jpg", "1.jpg"]
    raise_for_faults(result, "skip")
    with pytest.raises(UserError) as raised:
        raise_for_faults(result, "error")
    assert raised.value.code == ExitCode.DATASET
    assert len(raised.value.problems) == len(result.bad_images)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_deep_scan_agrees_with_loading(bad_folder):
    folder, expected = bad_folder
    for name in expected:
        if not name.endswith((".heic", ".jxl")):
            with pytest.raises(BadPictureError):
                load_picture(folder / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_named(tmp_path, save_pictures, scan):
    folder = save_pictures(tmp_path / "t" / "1_sls frog", 2)
    (folder / "0.jpg").chmod(0)
    assert [fault.path.name for fault in scan(tmp_path / "t").bad_images] == ["0.jpg"]


@pytest.mark.row(52)
def test_a_folder_without_usable_pictures_is_a_fault_even_when_bad_ones_are_skipped(tmp_path, scan):
    folder = tmp_path / "train" / "1_sls frog"
    folder.mkdir(parents=True)
    (folder / "a.jpg").touch()
    with pytest.raises(UserError, match="no usable picture"):
        raise_for_faults(scan(tmp_path / "train"), "skip")


def test_verdicts_of_decoding_are_remembered_by_content(tmp_path, encode, scan, monkeypatch):
    folder = tmp_path / "t" / "1_sls frog"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("L", (64, 48), number).save(folder / f"{number}.bmp")
    calls: list[Path] = []
    monkeypatch.setattr(decoded, "load_picture", lambda path: calls.append(path) or load_picture(path))
    scan(tmp_path / "t", deep=True)
    assert sorted(path.name for path in calls) == ["0.bmp", "1.bmp", "2.bmp"]
    os.utime(folder / "1.bmp", ns=(1, 1))
    folder.rename(tmp_path / "t" / "1_cpc frog")
    scan(tmp_path / "t", deep=True)
    assert len(calls) == 3, "touched and moved, and the same pictures still"
    changed = tmp_path / "t" / "1_cpc frog" / "1.bmp"
    about = changed.stat()
    Image.new("L", (64, 48), 9).save(changed)
    os.utime(changed, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert changed.stat().st_size == about.st_size
    scan(tmp_path / "t", deep=True)
    assert calls[3:] == [changed], "another picture of the same name, size and time"


def test_a_picture_that_cannot_be_read_while_it_is_decoded_leaves_no_verdict(
    tmp_path, save_pictures, scan, monkeypatch
):
    picture = save_pictures(tmp_path / "t" / "1_sls frog", 1) / "0.jpg"
    content = picture.read_bytes()

    def vanish(path: Path) -> None:
        path.unlink()
        raise BadPictureError("cannot be read")

    with monkeypatch.context() as patch:
        patch.setattr(decoded, "load_picture", vanish)
        assert len(scan(tmp_path / "t", deep=True).bad_images) == 1
    picture.write_bytes(content)
    assert scan(tmp_path / "t", deep=True).bad_images == ()


def test_a_bad_verdict_is_remembered_too(bad_folder, scan):
    folder, _ = bad_folder
    first, second = scan(folder.parent, deep=True), scan(folder.parent, deep=True)
    assert first == second
    assert "damaged.png" in {fault.path.name for fault in second.bad_images}


@pytest.mark.parametrize("content", [b"\xff\xfe not text", b'{"of": 1}\n[]\nnonsense\n'])
def test_a_broken_memory_is_an_empty_one(tmp_path, save_pictures, scan, content):
    save_pictures(tmp_path / "t" / "1_sls frog", 1)
    memory = decoded.cache_folder() / "decoded.jsonl"
    memory.write_bytes(content)
    assert scan(tmp_path / "t", deep=True).bad_images == ()


def test_a_memory_that_cannot_be_written_stops_nothing(tmp_path, save_pictures, scan, monkeypatch):
    save_pictures(tmp_path / "t" / "1_sls frog", 1)
    (tmp_path / "file").touch()
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert len(scan(tmp_path / "t", deep=True).train[0].pictures) == 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"])
def test_random_damage_is_a_reason_or_a_picture_and_never_another_error(tmp_path, encode, form):
    chance = random.Random(form)
    data = encode(form, image=Image.effect_noise((70, 50), 80).convert("RGB"))
    path = tmp_path / "a.jpg"
    readable = 0
    with quiet_pillow():
        for _ in range(150):
            damaged = bytearray(data[: chance.choice([len(data), chance.randrange(len(data))])])
            for _ in range(chance.choice([1, 3, 30])):
                if damaged:
                    damaged[chance.randrange(min(len(damaged), chance.choice([64, len(damaged)])))] = (
                        chance.randrange(256)
                    )
            path.write_bytes(damaged)
            try:
                header, picture = probe(path), load_picture(path)
            except BadPictureError:
                continue
            readable += 1
            assert header.size == picture.size
            assert picture.mode == "RGB"
    assert readable < 150
