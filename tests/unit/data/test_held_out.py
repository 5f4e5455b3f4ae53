"""Pictures that are measured instead of trained."""

from pathlib import Path

from trainer_core.data.balance import match_class_items
from trainer_core.data.dataset import Picture, PictureFolder, Scan
from trainer_core.data.held_out import with_held_out


def scan_of(*counts, root="/data"):
    folders = []
    for number, count in enumerate(counts):
        path = Path(root) / f"{number}"
        pictures = [
            Picture(path=path / f"{number}-{each}.png", size=(64, 64), caption="a", caption_from="folder")
            for each in range(count)
        ]
        folders.append(
            PictureFolder(
                path=path, kind="train", repeats=2, identifier="sls", class_name="frog", prompt="sls frog",
                pictures=tuple(pictures),
            )
        )  # fmt: skip
    return Scan(train=tuple(folders), classes=(), faults=(), bad_images=(), notes=())


def names(scan):
    return [each.path.name for each in scan.held_out]


def test_nothing_is_taken_unless_asked_for():
    scan = scan_of(20)
    assert with_held_out(scan, 0.0) is scan


def test_a_share_is_taken_and_told():
    scan = with_held_out(scan_of(15, 5), 0.25)
    assert len(scan.held_out) == 5
    trained = {item.picture.path for item in match_class_items(scan)}
    assert len(trained) == 15
    assert trained.isdisjoint(each.path for each in scan.held_out)
    assert "5 of 20 pictures are held out" in scan.notes[-1]


def test_the_same_are_taken_wherever_the_folder_lies():
    assert names(with_held_out(scan_of(20), 0.2)) == names(with_held_out(scan_of(20, root="/mnt/else"), 0.2))


def test_at_least_one_and_never_the_last_of_a_folder():
    assert len(with_held_out(scan_of(4), 0.01).held_out) == 1
    scan = with_held_out(scan_of(2, 1), 0.5)
    assert len(scan.held_out) == 1
    assert all(folder.pictures for folder in scan.train)
    alone = with_held_out(scan_of(1, 1), 0.5)
    assert not alone.held_out
    assert "no picture is held out" in alone.notes[-1]
