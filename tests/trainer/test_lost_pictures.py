"""Pictures that go missing while they are read: others stand in, the same ones each time, and it is told."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from trainer_core.data.dataset import Item, Picture
from trainer_core.data.originals import Originals
from trainer_core.data.stand_ins import LostPictureError, StandIns
from trainer_core.errors import ExitCode, UserError

UNCACHED = {"cache_latents": "off", "flip_aug": True}


def item(name, is_class=False):
    picture = Picture(path=Path(name), size=(64, 64), caption="", caption_from="folder")
    return Item(picture=picture, is_class=is_class, repeats=2)


def lost(name):
    return LostPictureError(Path(name), "cannot be read")


def test_the_next_of_its_kind_and_size_stands_in_whatever_is_found_lost_first():
    items = [item(f"{number}.png", is_class=number == 3) for number in range(30)]
    buckets = {(64, 64): [0, 0, 1, 1, 2, 3, 4], (64, 128): list(range(5, 30))}
    told = []
    stand_ins = StandIns(items, buckets, told.append)
    assert stand_ins.instead_of(2, lost("2.png")) == 4  # 3 is a class picture
    assert stand_ins.instead_of(4, lost("4.png")) == 0
    assert stand_ins.instead_of(2, lost("2.png")) == 0
    assert stand_ins.instead_of(29, lost("29.png")) == 5
    assert [text.count("so far") for text in told] == [0, 1]  # at the 1st and 2nd, not at the 3rd
    with pytest.raises(UserError, match=r"4 pictures .*dbtui resume") as caught:
        stand_ins.instead_of(7, lost("7.png"))
    assert caught.value.code is ExitCode.DATASET


def test_the_only_one_of_its_size_has_no_stand_in():
    stand_ins = StandIns([item("0.png"), item("1.png")], {(64, 64): [0], (64, 128): [1]}, lambda text: None)
    with pytest.raises(UserError, match="no other picture of its size") as caught:
        stand_ins.instead_of(0, lost("0.png"))
    assert caught.value.code is ExitCode.DATASET


def test_a_file_is_itself_until_its_content_changes(tmp_path):
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"1")
    originals = Originals.of([path, path], workers=1)
    shutil.copy(path, copy)
    copy.replace(path)  # touched, of the same content
    assert originals.is_unchanged(path)
    path.write_bytes(b"2")
    assert not originals.is_unchanged(path)
    path.unlink()
    assert not originals.is_unchanged(path)
    with pytest.raises(UserError, match="can no longer be read"):
        Originals.of([path], workers=1)


@pytest.fixture
def own_pictures(pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "data")
    folder = tmp_path / "data" / "train" / "2_sls frog"
    return folder, {"train_dir": str(folder.parent), "reg_dir": str(tmp_path / "data" / "reg"), **UNCACHED}


def test_the_training_goes_on_the_same_each_time_and_never_with_other_pixels(
    own_pictures, make_job, run_job, recorder
):
    _, dataset = own_pictures
    losses = []
    for change in (Path.unlink, lambda path: Image.new("RGB", (128, 128)).save(path)):
        job = make_job(train={"max_steps": 6, "workers": 2}, dataset=dataset, events=recorder)
        later = job.samples.order.step(4)[0].items
        victim = job.samples.items[later[0]].picture.path
        content = victim.read_bytes()
        reports = run_job(job, 2)
        change(victim)
        job.loader.waiting.clear()  # of what was read ahead it may be one
        reports += run_job(job)
        losses.append([report.loss for report in reports])
        victim.write_bytes(content)
    assert losses[0] == losses[1]
    (gone, changed) = [event for event in recorder.events if event["kind"] == "warning"]
    assert gone["code"] == changed["code"] == "picture_lost"
    assert victim.name in gone["text"]
    assert "has changed since the training began" in changed["text"]


def test_too_many_end_it_with_code_3(own_pictures, make_job, run_job):
    folder, dataset = own_pictures
    job = make_job(train={"max_steps": 40, "workers": 1}, dataset=dataset)
    run_job(job, 1)
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match="put them back, then `dbtui resume`") as caught:
        run_job(job)
    assert caught.value.code is ExitCode.DATASET
    assert not job.in_update
    assert job.step >= 1


def test_cached_latents_that_are_gone_are_told(make_job, run_job, tmp_path):
    job = make_job(train={"max_steps": 8, "workers": 1}, dataset={"cache_latents": "disk"})
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(UserError, match="a resume encodes the picture again") as caught:
        run_job(job)
    assert caught.value.code is ExitCode.DISK
