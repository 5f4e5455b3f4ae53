"""How training and class pictures are weighed against each other, class by class.

The rule is that of kohya's sd-scripts: class pictures are taken in order, each counting its folder's repeats,
until they are as many as the training items; what is left is unused. Where they are too few, their repeats are
raised one by one, in order, until the numbers are equal. So an epoch holds about twice the training items. There
the rule is applied to all classes together; here each class is matched to its own training items.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from trainer_core.data.dataset import Item, PictureFolder, Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBalance:
    """Training against class pictures of one class. Counts are pictures x repeats.

    Attributes:
        class_name: the class.
        train_pictures, train_count: pictures of subjects of this class, and what they count in an epoch.
        class_pictures, class_count: class pictures, and what they would count unmatched.
        used_pictures, used_count: class pictures that are used, and what they count after matching.
        unused: folder path and number of the class pictures that are never used, for each folder with such.
        balancing_repeats: the fewest repeats of the training folders with which their count reaches the
            class pictures'; None without pictures on both sides.
    """

    class_name: str
    train_pictures: int
    train_count: int
    class_pictures: int
    class_count: int
    used_pictures: int
    used_count: int
    unused: tuple[tuple[str, int], ...]
    balancing_repeats: int | None

    @property
    def unused_pictures(self) -> int:
        """Class pictures that are never used."""
        return self.class_pictures - self.used_pictures

    @property
    def enough_repeats(self) -> bool:
        """The guide's rule: training count >= class count, so that every class picture is used."""
        return self.train_count >= self.class_count


def match_class_items(scan: Scan) -> tuple[Item, ...]:
    """List what an epoch holds: all training items, then the class items matched to them, in folder order."""
    train = [
        Item(picture=picture, is_class=False, repeats=folder.repeats)
        for folder in scan.train
        for picture in folder.pictures
    ]
    matched = [
        item for name in _class_names(scan) for _, items in _match(name, scan) for item in items if item.repeats
    ]
    return (*train, *matched)


def balance_report(scan: Scan) -> tuple[ClassBalance, ...]:
    """Report each class that has training or class pictures, in the order in which the folders name them."""
    return tuple(_report(name, scan) for name in _class_names(scan))


def unmatched_class_folders(scan: Scan) -> tuple[PictureFolder, ...]:
    """Class folders whose class no training folder has: none of their pictures would be used."""
    trained = {class_key(folder.class_name) for folder in scan.train}
    return tuple(folder for folder in scan.classes if class_key(folder.class_name) not in trained)


def class_key(class_name: str) -> str:
    """The form in which class names are compared: case, spacing and Unicode form do not matter."""
    return " ".join(unicodedata.normalize("NFC", class_name).casefold().split())


def _class_names(scan: Scan) -> tuple[str, ...]:
    names: dict[str, str] = {}
    for folder in (*scan.train, *scan.classes):
        names.setdefault(class_key(folder.class_name), folder.class_name)
    return tuple(names.values())


def _of_class(folders: Iterable[PictureFolder], name: str) -> list[PictureFolder]:
    return [folder for folder in folders if class_key(folder.class_name) == class_key(name)]


def _match(name: str, scan: Scan) -> list[tuple[PictureFolder, list[Item]]]:
    """Match the class pictures of class `name`; unused ones are listed with no repeats."""
    wanted = sum(folder.count for folder in _of_class(scan.train, name))
    folders = _of_class(scan.classes, name)
    repeats, taken = [], 0
    for folder in folders:
        for _ in folder.pictures:
            repeats.append(folder.repeats if taken < wanted else 0)
            taken += repeats[-1]
    if repeats and taken < wanted:
        every, first = divmod(wanted - taken, len(repeats))
        repeats = [count + every + (position < first) for position, count in enumerate(repeats)]
    final = iter(repeats)
    return [
        (folder, [Item(picture=picture, is_class=True, repeats=next(final)) for picture in folder.pictures])
        for folder in folders
    ]


def _report(name: str, scan: Scan) -> ClassBalance:
    train, matches = _of_class(scan.train, name), _match(name, scan)
    train_pictures = sum(len(folder.pictures) for folder in train)
    class_count = sum(folder.count for folder, _ in matches)
    unused = [(str(folder.path), sum(not item.repeats for item in items)) for folder, items in matches]
    return ClassBalance(
        class_name=name,
        train_pictures=train_pictures,
        train_count=sum(folder.count for folder in train),
        class_pictures=sum(len(items) for _, items in matches),
        class_count=class_count,
        used_pictures=sum(item.repeats > 0 for _, items in matches for item in items),
        used_count=sum(item.repeats for _, items in matches for item in items),
        unused=tuple((path, count) for path, count in unused if count),
        balancing_repeats=-(-class_count // train_pictures) if train_pictures and class_count else None,
    )
