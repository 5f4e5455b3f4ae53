"""Pictures that are kept out of the training, so that the validation loss tells of pictures it never saw."""

from dataclasses import replace
from pathlib import Path

from trainer_core.data.dataset import PictureFolder, Scan
from trainer_core.data.listing import counted, name_some
from trainer_core.data.order import derive_seed

SHOWN = 5


def with_held_out(scan: Scan, share: float) -> Scan:
    """Take `share` of the training pictures out of `scan`; of each folder at least one stays.

    At least one is taken where any can be. Which ones depends on the names of the files alone, so it is the same
    at a resume, and wherever the folder lies. Nothing is taken at a share of 0.
    """
    pictures = {picture.path: picture for folder in scan.train for picture in folder.pictures}
    if not share or not pictures:
        return scan
    wanted = max(1, round(share * len(pictures)))
    taken = _chosen(scan.train, wanted)
    if not taken:
        note = "dataset.held_out: no picture is held out, since each folder has only one"
        return replace(scan, notes=(*scan.notes, note))
    held = tuple(picture for path, picture in pictures.items() if path in taken)
    note = (
        f"dataset.held_out: {len(held)} of {counted(len(pictures), 'picture')} are held out, measured and not "
        f"trained ({name_some([picture.path for picture in held], SHOWN)})"
    )
    train = tuple(_without(folder, taken) for folder in scan.train)
    return replace(scan, train=train, held_out=held, notes=(*scan.notes, note))


def _chosen(folders: tuple[PictureFolder, ...], wanted: int) -> set[Path]:
    names = [(picture.path, folder) for folder in folders for picture in folder.pictures]
    left = {id(folder): len(folder.pictures) for folder in folders}
    taken: set[Path] = set()
    for path, folder in sorted(names, key=lambda each: derive_seed("held out", each[0].name)):
        if len(taken) < wanted and left[id(folder)] > 1 and path not in taken:
            taken.add(path)
            left[id(folder)] -= 1
    return taken


def _without(folder: PictureFolder, taken: set[Path]) -> PictureFolder:
    return replace(folder, pictures=tuple(each for each in folder.pictures if each.path not in taken))
