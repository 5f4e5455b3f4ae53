"""Class pictures that the start model draws before training: which are there, and which are missing. No torch.

A class that is trained gets `prior.num_class_images` pictures. They lie in its class folder (of dataset.reg_dir,
or concept.class_dir) or, where it has none, in a folder of the cache that all runs share. What lies there counts,
wherever it came from, and is never touched; only the rest is drawn. A picture drawn is named after what it depends
on (model, size, prompts), so it is found again by the same run and by others.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.config.schema import Dataset, Prior
from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.balance import class_key
from trainer_core.data.caption_texts import CaptionTexts
from trainer_core.data.captions import CaptionError, extensions_of, index_captions, read_caption
from trainer_core.data.dataset import ClassPicture, ClassPictures, Size
from trainer_core.data.filewords import has_place, words_of_name
from trainer_core.data.folders import Source, Sources
from trainer_core.data.images import Header
from trainer_core.data.listing import Listing, remark, stem_key
from trainer_core.data.order import derive_seed
from trainer_core.data.trained_words import identifiers_beside

_SEEDS = 2**31
"""As many as the seed of a preview has."""

Listings = Sequence[tuple[Source, Listing]]
Group = list[tuple[Source, Listing]]
"""Folders of class pictures of one class and one prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What class pictures are drawn with.

    Attributes:
        prior: the settings.
        size: width and height.
        model: the fingerprint of the start model, "" while it is not known.
        cache: the folder for classes that have none.
    """

    prior: Prior
    size: Size
    model: str
    cache: Path

    def key(self, prompt: str, negative_prompt: str, words: Sequence[str] = ()) -> str:
        """Name what pictures of these prompts depend on, besides their number.

        Of digits alone: these are no words, also where the names of files are captions.
        """
        width, height = self.size
        parts = [self.model, width, height, prompt, negative_prompt, list(words)]
        return f"{derive_seed('class pictures', json.dumps(parts)):019d}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the texts of class pictures depend on: the folders, the captions' settings and the method."""

    found: Sources
    dataset: Dataset
    method: CaptionMethod


def missing_pictures(
    listings: Listings, examined: Mapping[Path, Header | str], drawing: Drawing, reading: Reading
) -> tuple[ClassPictures, ...]:
    """Return for each class what it has and what must be drawn; what came from elsewhere is noted.

    Folders of one class and prompt are counted together, and the first gets the new pictures.
    """
    trained = {class_key(source.class_name) for source, _ in listings if source.kind == "train"}
    groups: dict[tuple[str, str, str], Group] = {}
    for source, listing in listings:
        key = class_key(source.class_name)
        if source.kind == "class" and key in trained:
            groups.setdefault((key, source.prompt, source.negative_prompt or ""), []).append((source, listing))
    _refuse_shared_folders(groups.values(), reading.found)
    return tuple(
        _count(group, _words(group[0][0], listings, examined, reading.dataset), examined, drawing, reading)
        for group in groups.values()
    )


def add_missing(drawn: ClassPictures, listing: Listing, examined: dict[Path, Header | str], size: Size) -> None:
    """Put the pictures to be drawn, and their captions, where they will lie, so that a plan is right before."""
    new = [picture.path for picture in drawn.missing]
    listing.pictures = sorted([*listing.pictures, *new], key=lambda path: path.name)
    listing.planned = {each.caption: each.words for each in drawn.missing if each.caption is not None}
    listing.files = sorted({*listing.files, *listing.planned}, key=lambda path: path.name)
    header = Header(size=size, form="PNG", alpha=False, animated=False, cmyk=False, misnamed=False)
    examined |= dict.fromkeys(new, header)


def _refuse_shared_folders(groups: Iterable[Group], found: Sources) -> None:
    owners: dict[Path, Group] = {}
    for group in groups:
        for source, _ in group:
            if owners.setdefault(source.path, group) is not group:
                text = "is to hold class pictures of different prompts. Give each concept a class_dir of its own"
                found.fault(source.path, text)


def _words(
    source: Source, listings: Listings, examined: Mapping[Path, Header | str], dataset: Dataset
) -> tuple[str, ...]:
    """Return what stands for [filewords] in the prompt of class pictures: the words of the subject's, in turn."""
    if not has_place(source.prompt):
        return ()
    words = []
    for other, listing in listings:
        if other.kind == "train" and class_key(other.class_name) == class_key(source.class_name):
            captions = index_captions(listing.files, extensions_of(dataset.caption_extension))
            good = [path for path in listing.pictures if isinstance(examined[path], Header)]
            words += [_own_words(path, captions.get(stem_key(path), []), dataset) for path in good]
    return tuple(dict.fromkeys(filter(None, words)))


def _own_words(picture: Path, captions: Sequence[Path], dataset: Dataset) -> str:
    try:
        lines = read_caption(captions[0]).lines if captions else ()
    except CaptionError:  # a fault, told where the folder is read
        lines = ()
    text = next(iter(lines), "") if dataset.wildcard else " ".join(lines)
    return text or words_of_name(picture)


def _count(
    group: Group,
    words: Sequence[str],
    examined: Mapping[Path, Header | str],
    drawing: Drawing,
    reading: Reading,
) -> ClassPictures:
    source, negative = group[0][0], group[0][0].negative_prompt or ""
    key = drawing.key(source.prompt, negative, words)
    good = [path for _, listing in group for path in listing.pictures if isinstance(examined[path], Header)]
    foreign = [path for path in good if not re.fullmatch(f"{key}-[0-9]{{5}}\\.png", path.name)]
    reading.found.notes += [
        f"{source.path}: {text}"
        for text in remark("not drawn for this prompt, model and size, kept and counted as they are", foreign)
    ]
    texts = CaptionTexts(
        source, identifiers_beside(source, reading.found.folders), reading.dataset, reading.method
    )
    taken = {path for _, listing in group for path in listing.pictures}
    wanted = (drawing.prior.num_class_images or 0) - len(good)
    missing: list[ClassPicture] = []
    index = 0
    while len(missing) < wanted:
        path = source.path / f"{key}-{index:05d}.png"
        if path not in taken:
            own = words[index % len(words)] if words else ""
            text = texts.of(path, [own] if own else [], ".txt").text
            caption = path.with_suffix(extensions_of(reading.dataset.caption_extension)[-1]) if own else None
            seed = derive_seed("class", key, index) % _SEEDS
            missing.append(ClassPicture(path=path, prompt=text, seed=seed, words=own, caption=caption))
        index += 1
    return ClassPictures(
        folder=source.path,
        class_name=source.class_name,
        prompt=source.prompt,
        negative_prompt=negative,
        present=len(good),
        foreign=len(foreign),
        missing=tuple(missing),
    )
