"""Class pictures that the start model draws before training: which are there, and which are missing. No torch.

A class that is trained gets `prior.num_class_images` pictures. They lie in its class folder (of dataset.reg_dir,
or concept.class_dir) or, where it has none, in a folder of the cache that all runs share. What lies there counts,
wherever it came from, and is never touched; only the rest is drawn. A picture drawn is named after what it depends
on (model, size, prompts), so it is found again by the same run and by others.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer_core.config.schema import Concept, Dataset, Prior
from trainer_core.data.balance import class_key
from trainer_core.data.dataset import ClassPicture, ClassPictures, Size
from trainer_core.data.folder_names import FolderName, parse_folder_name
from trainer_core.data.folders import Source, Sources
from trainer_core.data.images import Header
from trainer_core.data.listing import Listing, remark
from trainer_core.data.order import derive_seed
from trainer_core.on_disk import MAX_NAME_BYTES, from_home

_SEEDS = 2**31
"""As many as the seed of a preview has."""


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

    def key(self, prompt: str, negative_prompt: str) -> str:
        """Name what pictures of these prompts depend on, besides their number."""
        width, height = self.size
        parts = (self.model, f"{width}x{height}", prompt, negative_prompt)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def settle_class_folders(found: Sources, dataset: Dataset, concepts: Sequence[Concept], drawing: Drawing) -> None:
    """Give the class folders their prompts, and a folder to each trained class that has none, to be drawn into."""
    prior = drawing.prior
    _give_prompts(found, concepts, prior)
    if prior.num_class_images is None:
        return
    there = {class_key(source.class_name) for source in found.folders if source.kind == "class"}
    for wanted in _without_doubles([*_of_layout(found, prior), *_of_concepts(found, concepts, prior)]):
        if class_key(wanted.class_name) not in there:
            found.folders.append(
                Source(
                    path=_new_folder(wanted, dataset, drawing),
                    kind="class",
                    repeats=1,
                    identifier=None,
                    class_name=wanted.class_name,
                    prompt=wanted.prompt,
                    prompt_from="prompt",
                    negative_prompt=wanted.negative_prompt,
                )
            )
    _refuse_unused_prompts(found, concepts)


def missing_pictures(
    found: Sources,
    listings: Sequence[tuple[Source, Listing]],
    examined: Mapping[Path, Header | str],
    drawing: Drawing,
) -> tuple[ClassPictures, ...]:
    """Return for each class what it has and what must be drawn; what came from elsewhere is noted in `found`.

    Folders of one class and prompt are counted together, and the first gets the new pictures.
    """
    trained = {class_key(source.class_name) for source in found.folders if source.kind == "train"}
    groups: dict[tuple[str, str, str], list[Source]] = {}
    by_path = {source.path: listing for source, listing in listings}
    for source, _ in listings:
        key = class_key(source.class_name)
        if source.kind == "class" and key in trained:
            groups.setdefault((key, source.prompt, source.negative_prompt or ""), []).append(source)
    _refuse_shared_folders(groups, found)
    return tuple(
        _count(sources, {source.path: by_path[source.path] for source in sources}, examined, found, drawing)
        for sources in groups.values()
    )


def placeholder(size: Size) -> Header:
    """Return what will be known of a picture that is still to be drawn."""
    return Header(size=size, form="PNG", alpha=False, animated=False, cmyk=False, misnamed=False)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A class to be drawn."""

    class_name: str
    prompt: str
    negative_prompt: str


def _without_doubles(wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """CLIP reads lower case, so case does not make another prompt."""
    different = {
        (class_key(each.class_name), class_key(each.prompt), each.negative_prompt): each for each in wanted
    }
    return list(different.values())


def _give_prompts(found: Sources, concepts: Sequence[Concept], prior: Prior) -> None:
    """Let the folders of dataset.reg_dir take over what the settings say of their class."""
    for position, source in enumerate(found.folders):
        if source.kind != "class":
            continue
        of_class = [each for each in concepts if class_key(_class_of(each)) == class_key(source.class_name)]
        prompts = [each.class_prompt for each in of_class if each.class_prompt and not each.class_dir]
        if prior.num_class_images is None:  # then a concept's class_prompt is for its class_dir alone
            prompts = []
        prompt = next(iter(prompts), None) or prior.class_prompt
        if source.prompt_from == "folder" and prompt:
            source = replace(source, prompt=prompt, prompt_from="prompt")
        if source.negative_prompt is None:
            negative = [text for each in of_class if (text := each.class_negative_prompt) is not None]
            source = replace(source, negative_prompt=next(iter(negative), prior.class_negative_prompt))
        found.folders[position] = source


def _class_of(concept: Concept) -> str:
    return concept.class_ or concept.class_prompt or ""


def _of_layout(found: Sources, prior: Prior) -> list[_Wanted]:
    names = [each.class_name for each in found.folders if each.kind == "train" and each.prompt_from == "folder"]
    return [_Wanted(name, prior.class_prompt or name, prior.class_negative_prompt) for name in names]


def _of_concepts(found: Sources, concepts: Sequence[Concept], prior: Prior) -> list[_Wanted]:
    wanted = []
    for number, concept in enumerate(concepts, start=1):
        if concept.instance_dir is None or concept.class_dir is not None:
            continue
        prompt = concept.class_prompt or prior.class_prompt or concept.class_
        if prompt is None:
            text = "has no class of which pictures could be drawn. Set class or class_prompt"
            found.fault(Path(f"concept[{number}]"), text)
            continue
        negative = concept.class_negative_prompt
        wanted.append(
            _Wanted(_class_of(concept), prompt, prior.class_negative_prompt if negative is None else negative)
        )
    return wanted


def _new_folder(wanted: _Wanted, dataset: Dataset, drawing: Drawing) -> Path:
    """The class's place in dataset.reg_dir, or in the cache where there is none or its name is not a folder's."""
    name = f"1_{wanted.class_name}"
    parsed = parse_folder_name(name, "class")
    is_name = isinstance(parsed, FolderName) and parsed.prompt == wanted.class_name and "/" not in name
    if dataset.reg_dir is not None and is_name and len(name.encode()) <= MAX_NAME_BYTES:
        return from_home(dataset.reg_dir) / name
    words = re.sub(r"[^a-z0-9]+", "-", wanted.prompt.lower()).strip("-")[:40] or "class"
    return drawing.cache / f"{words}-{drawing.key(wanted.prompt, wanted.negative_prompt)}"


def _refuse_unused_prompts(found: Sources, concepts: Sequence[Concept]) -> None:
    """A concept that shares a class folder with others cannot have prompts of its own."""
    for number, concept in enumerate(concepts, start=1):
        shared = [
            source
            for source in found.folders
            if source.kind == "class" and class_key(source.class_name) == class_key(_class_of(concept))
        ]
        prompts = {source.prompt for source in shared}
        negatives = {source.negative_prompt for source in shared}
        for name, text, used in (
            ("class_prompt", concept.class_prompt, prompts),
            ("class_negative_prompt", concept.class_negative_prompt, negatives),
        ):
            if text is not None and shared and text not in used:
                others = " and ".join(dict.fromkeys(str(source.path) for source in shared))
                found.fault(
                    Path(f"concept[{number}]"),
                    f"its {name} is not used: its class has its pictures in {others}, with other prompts. Set its "
                    "class_dir to a folder of its own",
                )


def _refuse_shared_folders(groups: Mapping[tuple[str, str, str], Sequence[Source]], found: Sources) -> None:
    owners: dict[Path, tuple[str, str, str]] = {}
    for group, sources in groups.items():
        for source in sources:
            if owners.setdefault(source.path, group) != group:
                text = "is to hold class pictures of different prompts. Give each concept a class_dir of its own"
                found.fault(source.path, text)


def _count(
    sources: Sequence[Source],
    listings: Mapping[Path, Listing],
    examined: Mapping[Path, Header | str],
    found: Sources,
    drawing: Drawing,
) -> ClassPictures:
    first = sources[0]
    prompt, negative = first.prompt, first.negative_prompt or ""
    key = drawing.key(prompt, negative)
    good = [
        path for listing in listings.values() for path in listing.pictures if isinstance(examined[path], Header)
    ]
    taken = {path for listing in listings.values() for path in (*listing.pictures, *listing.files)}
    foreign = [path for path in good if not re.fullmatch(f"{key}-[0-9]{{5}}.png", path.name)]
    found.notes += [
        f"{first.path}: {text}"
        for text in remark("not drawn for this prompt, model and size, kept and counted as they are", foreign)
    ]
    wanted = drawing.prior.num_class_images or 0
    missing: list[ClassPicture] = []
    index = 0
    while len(good) + len(missing) < wanted:
        path = first.path / f"{key}-{index:05d}.png"
        if path not in taken:
            missing.append(ClassPicture(path=path, prompt=prompt, seed=derive_seed("class", key, index) % _SEEDS))
        index += 1
    return ClassPictures(
        folder=first.path,
        class_name=first.class_name,
        prompt=prompt,
        negative_prompt=negative,
        present=len(good),
        foreign=len(foreign),
        missing=tuple(missing),
    )
