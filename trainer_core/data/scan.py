"""The dataset as the trainer will see it: every folder, picture, caption and problem, in one pass."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from trainer_core.config.schema import Concept, Dataset
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.ahead import worker_threads
from trainer_core.data.balance import class_key, unmatched_class_folders
from trainer_core.data.caption_texts import CaptionTexts
from trainer_core.data.checks import check_copies, remark_on_cropping, remarks_on
from trainer_core.data.class_folders import settle_class_folders
from trainer_core.data.class_images import Drawing, Reading, add_missing, missing_pictures
from trainer_core.data.dataset import Check, ClassPictures, Fault, PictureFolder, Scan
from trainer_core.data.decoded import DecodedStore, cache_folder
from trainer_core.data.duplicates import find_copies, find_near_copies
from trainer_core.data.folders import Source, Sources, find_sources, look_into
from trainer_core.data.held_out import with_held_out
from trainer_core.data.images import BadPictureError, Header, probe, quiet_pillow
from trainer_core.data.listing import Listing, remark
from trainer_core.data.read_folder import read_folder
from trainer_core.data.trained_words import identifiers_beside, settle_words
from trainer_core.errors import ExitCode, UserError
from trainer_core.on_disk import is_absent

Examined = dict[Path, Header | str]
"""For each file named like a picture: its header, or what is wrong with it."""


def scan_dataset(
    dataset: Dataset,
    concepts: Sequence[Concept],
    *,
    method: CaptionMethod = "dreambooth",
    deep: bool = False,
    workers: int = 4,
    progress: Callable[[int, int], None] | None = None,
    drawing: Drawing | None = None,
) -> Scan:
    """Read the folders of `dataset` and `concepts`; collect problems instead of raising them.

    Args:
        dataset: where the pictures are and how captions are found.
        concepts: further folders, with any name.
        method: how pictures and words are tied together, `method.captions`.
        deep: decode every picture, instead of checking headers, lengths and trailers; remembered across calls.
            Blurred pictures and copies are looked for as well.
        workers: threads that read pictures.
        progress: called from this thread with the number of pictures examined and of all.
        drawing: what class pictures are drawn with, where the start model draws those that are missing.
    """
    sources = find_sources(dataset, concepts, drawing.prior if drawing else None, method)
    settle_words(sources, method)
    if drawing:
        settle_class_folders(sources, dataset, concepts, drawing)
    listings = _look_into_all(sources, drawing)
    paths = list(dict.fromkeys(path for _, listing in listings for path in listing.pictures))
    with quiet_pillow(), worker_threads(workers) as pool:
        examined = _examine(paths, pool, deep, progress)
        copies = _find_copies(examined, pool) if deep else []
        sources.notes += remarks_on(copies, dataset)
    drawn = _add_missing(listings, examined, drawing, Reading(sources, dataset, method))
    scan = _assemble(dataset, method, listings, examined, sources)
    return with_held_out(replace(scan, drawn=drawn, checks=(*scan.checks, *copies)), dataset.held_out)


def raise_for_faults(scan: Scan, on_bad_image: str = "error") -> None:
    """Raise everything that keeps `scan` from being trained on, at once.

    Raises:
        UserError: there are faults, or unreadable pictures while `on_bad_image` is not "skip" (code DATASET).
    """
    faults = scan.faults if on_bad_image == "skip" else (*scan.faults, *scan.bad_images)
    if faults:
        raise UserError([f"{fault.path}: {fault.text}" for fault in faults], ExitCode.DATASET)


def left_out(scan: Scan, on_bad_image: str) -> list[str]:
    """Return the remark on pictures that cannot be read and are skipped, if there are any."""
    paths = [fault.path for fault in scan.bad_images] if on_bad_image == "skip" else []
    return remark('left out, since they cannot be read (dataset.on_bad_image = "skip")', paths)


def _look_into_all(sources: Sources, drawing: Drawing | None) -> list[tuple[Source, Listing]]:
    """List every folder; one that will be made for class pictures counts as an empty one."""
    draws = drawing is not None and drawing.prior.num_class_images is not None
    trained = {class_key(source.class_name) for source in sources.folders if source.kind == "train"}
    listings, made = [], set()
    for source in list(sources.folders):
        is_drawn = draws and source.kind == "class" and class_key(source.class_name) in trained
        if is_drawn and is_absent(source.path):
            made.add(source.path)
            listings.append((source, Listing()))
        elif (listing := look_into(source.path, sources)) is not None:
            listings.append((source, listing))
    # Without the subject's pictures, which is a fault, none of its class are drawn.
    there = {class_key(source.class_name) for source, _ in listings if source.kind == "train"}
    return [each for each in listings if each[0].path not in made or class_key(each[0].class_name) in there]


def _add_missing(
    listings: list[tuple[Source, Listing]], examined: Examined, drawing: Drawing | None, reading: Reading
) -> tuple[ClassPictures, ...]:
    """Add the class pictures that will be drawn to what was found; return what is to be drawn."""
    if drawing is None or drawing.prior.num_class_images is None:
        return ()
    drawn = missing_pictures(listings, examined, drawing, reading)
    for each in drawn:
        place = next(
            inside for source, inside in listings if source.kind == "class" and source.path == each.folder
        )
        add_missing(each, place, examined, drawing.size)
    return drawn


def _examine(
    paths: list[Path], pool: ThreadPoolExecutor, deep: bool, progress: Callable[[int, int], None] | None
) -> Examined:
    store = DecodedStore(cache_folder()) if deep else None
    examined: Examined = {}
    try:
        for path, result in zip(paths, pool.map(lambda path: _examine_one(path, store), paths), strict=True):
            examined[path] = result
            if progress is not None:
                progress(len(examined), len(paths))
    except BaseException:
        pool.shutdown(cancel_futures=True)  # those under way are in the store before it is saved
        raise
    finally:
        if store is not None:
            store.save()
    return examined


def _examine_one(path: Path, store: DecodedStore | None) -> Header | str:
    try:
        header = probe(path)
    except BadPictureError as error:
        return str(error)
    if store is None:
        return header
    look = store.look(path)
    return look if isinstance(look, str) else replace(header, look=look)


def _find_copies(examined: Examined, pool: ThreadPoolExecutor) -> list[Check]:
    """Look for exact copies, and among the rest for pictures that nearly look the same."""
    looks = {path: result.look for path, result in examined.items() if isinstance(result, Header)}
    copies = find_copies(looks, pool)
    rest = {path: look.likeness for path, look in looks.items() if look is not None and path not in copies}
    return check_copies(copies, find_near_copies(rest))


def _assemble(
    dataset: Dataset,
    method: CaptionMethod,
    listings: Iterable[tuple[Source, Listing]],
    examined: Examined,
    sources: Sources,
) -> Scan:
    results = []
    for source, listing in listings:
        texts = CaptionTexts(source, identifiers_beside(source, sources.folders), dataset, method)
        results.append(read_folder(source, listing, examined, texts, dataset))
    bad_images = {fault.path: fault for result in results for fault in result.bad_images}
    scan = Scan(
        train=tuple(result.folder for result in results if result.folder.kind == "train"),
        classes=tuple(result.folder for result in results if result.folder.kind == "class"),
        faults=(*sources.faults, *(fault for result in results for fault in result.faults)),
        bad_images=tuple(bad_images.values()),
        notes=(
            *sources.notes,
            *(note for result in results for note in result.notes),
            *remark_on_cropping((picture for result in results for picture in result.folder.pictures), dataset),
        ),
        checks=tuple(check for result in results for check in result.checks),
    )
    return _with_unmatched(scan)


def _with_unmatched(scan: Scan) -> Scan:
    """Say which class folders no training folder has use for; if that is all of them, it is a fault."""
    unmatched = [folder for folder in unmatched_class_folders(scan) if folder.pictures]
    if not unmatched or not scan.train:
        return scan
    trained = ", ".join(dict.fromkeys(f'"{folder.class_name}"' for folder in scan.train))
    if len(unmatched) < sum(bool(folder.pictures) for folder in scan.classes):
        return replace(scan, notes=(*scan.notes, *(_unused(folder, trained) for folder in unmatched)))
    added = (Fault(path=folder.path, text=_mend(folder, trained)) for folder in unmatched)
    return replace(scan, faults=(*scan.faults, *added))


def _unused(folder: PictureFolder, trained: str) -> str:
    return f'{folder.path}: is not used, since no training folder has the class "{folder.class_name}" ({trained})'


def _mend(folder: PictureFolder, trained: str) -> str:
    return (
        f'no training folder has the class "{folder.class_name}", only {trained}, so no class picture would be '
        "used. Rename one so that both name the same class"
    )
