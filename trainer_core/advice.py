"""Advice on a plan: what the guides recommend and the plan does otherwise. It stops nothing. No torch."""

from collections.abc import Iterator

from trainer_core.config.tables.method import CaptionMethod
from trainer_core.data.balance import class_key
from trainer_core.data.dataset import Item, PictureFolder, Scan
from trainer_core.data.listing import counted
from trainer_core.data.order import TrainingOrder
from trainer_core.models.identifier import KNOWN_MEANINGS, judge, rare_words
from trainer_core.text import safe_text

STEPS_PER_PICTURE = 100
NATIVE_PICTURES = 100
"""The guides: about 100 steps for each picture; training without class pictures wants 100 to 10,000 of them."""

_TOLERANCE = 4
"""A picture that is seen this many times more or less often than advised is worth a remark."""


def advice(
    scan: Scan, items: tuple[Item, ...], order: TrainingOrder, total_steps: int, method: CaptionMethod
) -> Iterator[str]:
    """Yield remarks on the length of the training, the number of pictures, the prompts and the identifiers."""
    yield from _on_length(items, order, total_steps)
    yield from _on_native_training(scan, items, method)
    if method == "finetune":
        return
    yield from _on_classes_without_pictures(scan)
    for folder in scan.train:
        yield from _on_prompt(folder)
        yield from _on_captions_without(folder)
    for identifier in dict.fromkeys(folder.identifier for folder in scan.train if _is_trained(folder)):
        yield from _on_identifier(identifier or "")


def _on_length(items: tuple[Item, ...], order: TrainingOrder, total_steps: int) -> Iterator[str]:
    pictures = len({item.picture.path for item in items if not item.is_class})
    has_class = any(item.is_class for item in items)
    if not pictures or not has_class or not order.steps_per_epoch:  # no order where a picture fits no bucket
        return
    each_pass = sum(item.repeats for item in items if not item.is_class) / pictures
    seen = each_pass * total_steps / order.steps_per_epoch
    if STEPS_PER_PICTURE / _TOLERANCE <= seen <= STEPS_PER_PICTURE * _TOLERANCE:
        return
    usual = max(1, round(STEPS_PER_PICTURE / each_pass * order.steps_per_epoch))
    yield (
        f"each of the {counted(pictures, 'picture')} of the subject is seen {_times(seen)}; about "
        f"{STEPS_PER_PICTURE} times is usual, which would be {counted(usual, 'step')}"
    )


def _on_native_training(scan: Scan, items: tuple[Item, ...], method: CaptionMethod) -> Iterator[str]:
    pictures = len({item.picture.path for item in items if not item.is_class})
    if scan.classes or not 0 < pictures < NATIVE_PICTURES:
        return
    if method == "finetune":
        yield (
            f"training captions alone wants hundreds of pictures, and these are {pictures}: what they have in "
            "common will come to stand for everything"
        )
        return
    yield (
        f"there are no class pictures, and training without them wants hundreds of pictures where these are "
        f"{pictures}: everything of the class will come to look like them. Give class pictures with --reg"
    )


def _on_classes_without_pictures(scan: Scan) -> Iterator[str]:
    """Of several classes, those that nothing keeps as they were."""
    kept = {class_key(folder.class_name) for folder in scan.classes if folder.pictures}
    trained = {class_key(folder.class_name): folder.class_name for folder in scan.train if folder.class_name}
    for key, name in trained.items():
        if key not in kept and not kept.isdisjoint(trained):
            yield (
                f'there are no class pictures of "{safe_text(name, 80)}", as there are of other classes: '
                "everything of that class will come to look like the pictures trained"
            )


def _on_prompt(folder: PictureFolder) -> Iterator[str]:
    """A rare word alone, however it came to be the whole prompt, tells the model no kind of thing."""
    word = folder.identifier or folder.prompt
    is_alone = folder.prompt == word and (bool(folder.identifier) or _is_rare(word))
    if is_alone and any(picture.caption == folder.prompt for picture in folder.pictures):
        yield (
            f'{safe_text(folder.path.name)}: the prompt is "{safe_text(word, 80)}" alone; add a class, such as '
            f'"{safe_text(word, 80)} frog", so that the model knows what kind of thing it is'
        )


def _on_captions_without(folder: PictureFolder) -> Iterator[str]:
    """A caption takes the place of the folder's prompt, and the identifier may be gone with that."""
    word = (folder.identifier or "").casefold()
    own = [picture for picture in folder.pictures if picture.caption_from not in ("folder", "prompt")]
    without = sum(word not in picture.caption.casefold() for picture in own)
    if without:
        yield (
            f'{safe_text(folder.path.name)}: {counted(without, "caption")} without "{safe_text(word, 80)}", which '
            'these pictures therefore do not teach; method.captions = "hybrid" puts it in'
        )


def _on_identifier(identifier: str) -> Iterator[str]:
    report = judge(identifier)
    if report.verdict != "good":
        yield (
            f'the identifier "{safe_text(identifier, 80)}" is {report.verdict}: {"; ".join(report.reasons)}. '
            f"Rare words of one token: {' '.join(rare_words(5))}"
        )


def _is_trained(folder: PictureFolder) -> bool:
    """Whether the identifier reaches the model: it is in no caption that someone wrote without it."""
    word = folder.identifier
    return word is not None and any(word in picture.caption for picture in folder.pictures)


def _is_rare(word: str) -> bool:
    return word.lower() in KNOWN_MEANINGS or judge(word).verdict == "good"


def _times(number: float) -> str:
    return "less than once" if number < 1 else f"{number:.0f} times" if number >= 1.5 else "once"
