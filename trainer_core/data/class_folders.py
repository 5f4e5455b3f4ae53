"""Which folder the class pictures of each class lie in, and with which prompts they are trained and drawn."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainer_core.config.schema import Concept, Dataset, Prior
from trainer_core.data.balance import class_key
from trainer_core.data.class_images import Drawing
from trainer_core.data.filewords import has_place
from trainer_core.data.folder_names import FolderName, parse_folder_name
from trainer_core.data.folders import Source, Sources
from trainer_core.on_disk import MAX_NAME_BYTES, from_home

CLASS_UNKNOWN = "no pictures of its class can be drawn, since that is not known. Set class or class_prompt"


def settle_class_folders(found: Sources, dataset: Dataset, concepts: Sequence[Concept], drawing: Drawing) -> None:
    """Give the class folders their prompts, and a folder to each trained class that has none, to be drawn into."""
    prior = drawing.prior
    _give_prompts(found, concepts, prior)
    if prior.num_class_images is None:
        return
    there = {class_key(source.class_name) for source in found.folders if source.kind == "class"}
    wanted = [*_of_layout(found, prior), *_of_concepts(found, concepts, prior)]
    for each in _without_doubles(wanted):
        if class_key(each.class_name) in there:
            continue
        if not each.prompt:
            found.fault(each.subject, CLASS_UNKNOWN)
            continue
        path = _new_folder(each, found, dataset, drawing)
        says_it = each.prompt == each.class_name and path.parent != drawing.cache
        found.folders.append(
            Source(
                path=path,
                kind="class",
                repeats=1,
                identifier=None,
                class_name=each.class_name,
                prompt=each.prompt,
                prompt_from="folder" if says_it else "prompt",
                negative_prompt=each.negative_prompt,
            )
        )
    _refuse_unused_prompts(found, concepts)
    _note_one_prompt_for_all(found, prior)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A class to be drawn; `subject` is the folder of what is trained beside it."""

    subject: Path
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
    trained = [each for each in found.folders if each.kind == "train" and each.prompt_from == "folder"]
    return [
        _Wanted(each.path, each.class_name, prior.class_prompt or each.class_name, prior.class_negative_prompt)
        for each in trained
    ]


def _of_concepts(found: Sources, concepts: Sequence[Concept], prior: Prior) -> list[_Wanted]:
    names = {each.path: each.class_name for each in found.folders if each.kind == "train"}
    wanted = []
    for concept in concepts:
        if concept.instance_dir is None or concept.class_dir is not None:
            continue
        path = from_home(concept.instance_dir)
        prompt = concept.class_prompt or prior.class_prompt or concept.class_ or ""
        negative = concept.class_negative_prompt
        if negative is None:
            negative = prior.class_negative_prompt
        wanted.append(_Wanted(path, names.get(path, ""), prompt, negative))
    return wanted


def _new_folder(wanted: _Wanted, found: Sources, dataset: Dataset, drawing: Drawing) -> Path:
    """The class's place in dataset.reg_dir, or in the cache where there is none or its name is not a folder's."""
    name = f"1_{wanted.class_name}"
    parsed = parse_folder_name(name, "class")
    is_name = isinstance(parsed, FolderName) and parsed.prompt == wanted.class_name and "/" not in name
    if dataset.reg_dir is not None and is_name and len(name.encode()) <= MAX_NAME_BYTES:
        return from_home(dataset.reg_dir) / name
    words = re.sub(r"[^a-z0-9]+", "-", wanted.prompt.lower()).strip("-")[:40] or "class"
    subjects = [str(source.path) for source in found.folders if source.kind == "train"]
    of_subjects = subjects if has_place(wanted.prompt) else ()
    return drawing.cache / f"{words}-{drawing.key(wanted.prompt, wanted.negative_prompt, of_subjects)}"


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


def _note_one_prompt_for_all(found: Sources, prior: Prior) -> None:
    those = [each for each in found.folders if each.kind == "class" and each.prompt == prior.class_prompt]
    names = {class_key(each.class_name): each.class_name for each in those}
    if len(names) > 1:
        found.notes.append(
            f"prior.class_prompt is the prompt of the pictures of several classes ({', '.join(names.values())}); "
            "concept.class_prompt gives each its own"
        )
