"""Remarks on captions' settings that no caption of this dataset gives anything to do. No torch."""

from collections.abc import Iterator
from pathlib import Path

from trainer_core.config.schema import Config
from trainer_core.data.caption_steps import CaptionSteps, has_choices
from trainer_core.data.dataset import Item
from trainer_core.data.filewords import has_place
from trainer_core.on_disk import from_home
from trainer_core.text import safe_text


def caption_remarks(config: Config, steps: CaptionSteps, items: tuple[Item, ...]) -> Iterator[str]:
    """Yield what of the captions' settings has no effect on `items`, whose texts `steps` makes."""
    if not items:
        return
    yield from _on_sides(config, items)
    yield from _on_tags(config, steps)
    yield from _on_marks(config, items)
    yield from _on_prompts(config, items)


def _on_sides(config: Config, items: tuple[Item, ...]) -> Iterator[str]:
    dataset = config.dataset
    if dataset.captions_for == "class" and not any(item.is_class for item in items):
        yield 'dataset.captions_for = "class" leaves no picture with a caption: there are no class pictures'
    written = [item for item in items if _has_own_words(item)]
    if dataset.use_filename_as_caption and not any(item.picture.caption_from == "filename" for item in written):
        yield "dataset.use_filename_as_caption has no effect: every picture has a caption, or a name without words"
    if dataset.combine_prompt is not None and not written:
        yield "dataset.combine_prompt has no effect: no picture has a caption"
    ending = dataset.caption_extension
    if ending is not None and not any(item.picture.caption_from != "filename" for item in written):
        yield f"dataset.caption_extension: no picture has a file that ends in {safe_text(ending)} beside it"


def _on_tags(config: Config, steps: CaptionSteps) -> Iterator[str]:
    dataset = config.dataset
    needed = {"shuffle_caption": 2, "token_warmup_steps": dataset.token_warmup_min + 1, "tag_dropout_rate": 1}
    most = steps.most_movable()
    for name, least in needed.items():
        if getattr(dataset, name) and most < least:
            kept = " besides those that are kept" if dataset.keep_tokens or dataset.keep_tokens_separator else ""
            yield (
                f"dataset.{name} has no effect: no caption has {least} or more tags{kept}; tags are what "
                f'"{safe_text(dataset.caption_separator)}" separates'
            )


def _on_marks(config: Config, items: tuple[Item, ...]) -> Iterator[str]:
    dataset = config.dataset
    texts = (dataset.caption_prefix or "", dataset.caption_suffix or "", *(item.picture.caption for item in items))
    if dataset.wildcard and not any(map(has_choices, texts)):
        yield "dataset.wildcard has no effect: no caption has more than one line, or {one|another}"
    for name in ("keep_tokens_separator", "secondary_separator"):
        mark = getattr(dataset, name)
        if mark is not None and not any(mark in text for text in texts):
            yield f'dataset.{name} has no effect: "{safe_text(mark)}" stands in no caption'


def _on_prompts(config: Config, items: tuple[Item, ...]) -> Iterator[str]:
    """A caption takes the place of the prompt, and what that says may be gone with it."""
    if config.dataset.combine_prompt is not None:
        return
    by_folder: dict[Path, list[Item]] = {}
    for item in items:
        by_folder.setdefault(item.picture.path.parent, []).append(item)
    for number, concept in enumerate(config.concept, start=1):
        prompt = concept.instance_prompt
        if prompt is None or concept.instance_dir is None or has_place(prompt):
            continue
        own = by_folder.get(from_home(concept.instance_dir), [])
        if own and all(_has_own_words(item) for item in own):
            yield (
                f'concept.instance_prompt (in [[concept]] number {number}) "{safe_text(prompt, 80)}" is trained'
                " with no picture: each has a caption of its own. Put [filewords] into the prompt to have both, or"
                ' set dataset.captions_for = "class" to have the prompt alone'
            )


def _has_own_words(item: Item) -> bool:
    return item.picture.caption_from not in ("folder", "prompt")
