"""Matching class pictures to training pictures, with numbers worked out by hand."""

import pytest

from trainer_core.data.balance import balance_report, match_class_items
from trainer_core.data.dataset import Picture, PictureFolder, Scan


def folder(tmp_path, kind, repeats, count, class_name, identifier=None):
    path = tmp_path / f"{kind}_{repeats}_{identifier}_{class_name}"
    pictures = tuple(
        Picture(path=path / f"{i}", size=(64, 64), caption="x", caption_from="folder") for i in range(count)
    )
    return PictureFolder(
        path=path,
        kind=kind,
        repeats=repeats,
        identifier=identifier,
        class_name=class_name,
        prompt="x",
        pictures=pictures,
    )


@pytest.fixture
def make(tmp_path):
    def make(train, classes):
        return Scan(
            train=tuple(folder(tmp_path, "train", *each) for each in train),
            classes=tuple(folder(tmp_path, "class", *each) for each in classes),
            faults=(),
            bad_images=(),
            notes=(),
        )

    return make


def class_repeats(scan):
    return [item.repeats for item in match_class_items(scan) if item.is_class]


@pytest.mark.parametrize(
    ("train", "classes", "repeats"),
    [
        ((20, 3, "frog"), (1, 60, "frog"), [1] * 60),  # equal
        ((20, 3, "frog"), (1, 100, "frog"), [1] * 60),  # the last 40 are unused
        ((2, 5, "frog"), (1, 4, "frog"), [3, 3, 2, 2]),  # 10 wanted: 4, then +4, then +2 in order
        ((2, 5, "frog"), (3, 10, "frog"), [3, 3, 3, 3]),  # 3, 6, 9, 12: overshoots by at most repeats - 1
        ((1, 3, "frog"), (5, 2, "frog"), [5]),  # one class picture is more than enough
        ((2, 5, "frog"), (1, 10, "dog"), []),  # another class
    ],
)
def test_matching_one_class(make, train, classes, repeats):
    assert class_repeats(make([train], [classes])) == repeats


def test_training_items_keep_their_repeats_and_come_first(make):
    items = match_class_items(make([(20, 2, "frog", "sls")], [(1, 40, "frog")]))
    assert [(item.is_class, item.repeats) for item in items[:3]] == [(False, 20), (False, 20), (True, 1)]
    assert sum(item.repeats for item in items) == 80


def test_each_class_is_matched_to_its_own_training_items(make):
    scan = make(
        [(10, 2, "1girl", "sls"), (5, 2, "1Girl", "cpc"), (4, 1, "frog", "sls"), (3, 1, "cat", "sls")],
        [(1, 40, "1girl"), (1, 3, "frog"), (1, 7, "dog")],
    )
    items = match_class_items(scan)
    counts = {}
    for item in items:
        name = item.picture.path.parent.name.rpartition("_")[2].lower()
        counts[name, item.is_class] = counts.get((name, item.is_class), 0) + item.repeats
    assert counts == {
        ("1girl", False): 30,
        ("frog", False): 4,
        ("cat", False): 3,
        ("1girl", True): 30,
        ("frog", True): 4,
    }


def test_two_class_folders_of_one_class_are_taken_in_order(make):
    assert class_repeats(make([(5, 2, "frog")], [(3, 2, "frog"), (2, 3, "frog")])) == [3, 3, 2, 2]


def test_the_report(make):
    scan = make(
        [(2, 5, "frog", "sls"), (4, 3, "cat", "sls"), (1, 2, "owl", "sls")],
        [(1, 25, "frog"), (1, 7, "cat"), (1, 9, "dog")],
    )
    frog, cat, owl, dog = balance_report(scan)
    assert (frog.train_pictures, frog.train_count, frog.class_pictures, frog.class_count) == (5, 10, 25, 25)
    assert (frog.used_pictures, frog.used_count, frog.unused_pictures) == (10, 10, 15)
    assert (frog.enough_repeats, frog.balancing_repeats) == (False, 5)
    assert [count for _, count in frog.unused] == [15]
    assert (cat.enough_repeats, cat.balancing_repeats, cat.used_pictures, cat.used_count) == (True, 3, 7, 12)
    assert (owl.class_count, owl.balancing_repeats, owl.enough_repeats) == (0, None, True)
    assert (dog.train_count, dog.used_pictures, dog.unused_pictures, dog.balancing_repeats) == (0, 0, 9, None)


@pytest.mark.parametrize(("pictures", "class_count"), [(24, 212), (5, 25), (3, 1), (7, 50)])
def test_the_balancing_repeats_are_the_smallest_that_are_enough(make, pictures, class_count):
    def report(repeats):
        return balance_report(make([(repeats, pictures, "frog", "sls")], [(1, class_count, "frog")]))[0]

    repeats = report(1).balancing_repeats
    assert report(repeats).enough_repeats
    assert report(repeats).unused_pictures == 0
    assert repeats == 1 or report(repeats - 1).unused_pictures > 0
