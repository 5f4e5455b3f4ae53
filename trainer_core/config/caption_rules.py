"""Rules between the method and the captions' settings: what would have no effect is refused."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config
from trainer_core.data.filewords import PLACE, has_place

_PLACES = {"[PX]": "the caption", "[P]": "the prompt"}


def _class_pictures(config: Config) -> Iterator[str]:
    """What the command line adds is not seen by the conditions of the single settings."""
    if config.method.captions != "finetune":
        return
    named = {"dataset.reg_dir (--reg)": config.dataset.reg_dir}
    for concept in config.concept:
        named |= {"concept.class_dir (--reg)": concept.class_dir} if concept.class_dir else {}
        named |= {"concept.identifier (--identifier)": concept.identifier} if concept.identifier else {}
        named |= {"concept.class (--class)": concept.class_} if concept.class_ else {}
    for name, value in named.items():
        if value is not None:
            yield (
                f'{name} has no effect with method.captions = "finetune", which trains captions alone; leave it'
                ' out, or set method.captions to "dreambooth" or "hybrid"'
            )


def _own_prompts(config: Config) -> Iterator[str]:
    method = config.method.captions
    for number, concept in enumerate(config.concept, start=1):
        prompt = concept.instance_prompt
        if method != "dreambooth" and prompt is not None and not has_place(prompt):
            yield (
                f"concept.instance_prompt (in [[concept]] number {number}) must say where the captions go with"
                f' method.captions = "{method}": put {PLACE} into it, or remove it'
            )


def _prompts_with_places(config: Config) -> dict[str, str]:
    """Return the prompts that hold [filewords], each with the pictures that it belongs to."""
    prompts = {"prior.class_prompt": ("class", config.prior.class_prompt)}
    for number, concept in enumerate(config.concept, start=1):
        where = f"(in [[concept]] number {number})"
        prompts[f"concept.instance_prompt {where}"] = ("instance", concept.instance_prompt)
        prompts[f"concept.class_prompt {where}"] = ("class", concept.class_prompt)
    return {name: side for name, (side, prompt) in prompts.items() if has_place(prompt)}


def _captions_left_out(config: Config) -> Iterator[str]:
    captions_for = config.dataset.captions_for
    if config.method.captions == "hybrid" and captions_for == "class":
        yield (
            'dataset.captions_for = "class" leaves out the captions of the subject, into which method.captions ='
            ' "hybrid" puts the identifier; set it to "both" or "instance"'
        )
    for name, side in _prompts_with_places(config).items():
        if captions_for not in ("both", side):
            yield (
                f'{name} holds {PLACE}, and dataset.captions_for = "{captions_for}" leaves out the captions of'
                f' these pictures; set that to "both", or remove {PLACE}'
            )


def _combined(config: Config) -> Iterator[str]:
    combine = config.dataset.combine_prompt
    if combine is None:
        return
    missing = [f"{place}, where {what} goes" for place, what in _PLACES.items() if place not in combine]
    if missing:
        yield f"dataset.combine_prompt lacks {' and '.join(missing)}; put it in, or remove the setting"
    for name in _prompts_with_places(config):
        yield (
            f"{name} holds {PLACE}, so the caption is in the prompt and dataset.combine_prompt would put it there"
            " again; remove one of them"
        )


def _tags(config: Config) -> Iterator[str]:
    dataset = config.dataset
    splits = dataset.shuffle_caption or dataset.tag_dropout_rate > 0 or dataset.token_warmup_steps > 0
    kept = [
        name
        for name, is_set in (
            ("keep_tokens", dataset.keep_tokens > 0),
            ("keep_tokens_separator", dataset.keep_tokens_separator is not None),
            ("caption_separator", dataset.caption_separator != "," and dataset.secondary_separator is None),
        )
        if is_set and not splits
    ]
    for name in kept:
        yield (
            f"dataset.{name} is used only with dataset.shuffle_caption, tag_dropout_rate or token_warmup_steps;"
            " set one of them or remove it"
        )
    for name in ("secondary_separator", "keep_tokens_separator"):
        if getattr(dataset, name) == dataset.caption_separator:
            yield f"dataset.{name} must differ from dataset.caption_separator; change one of them"


CAPTION_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (
        ("method.captions", "dataset.reg_dir", "concept.class_dir", "concept.identifier", "concept.class"),
        _class_pictures,
    ),
    (("method.captions", "concept.instance_prompt"), _own_prompts),
    (("method.captions", "dataset.captions_for"), _captions_left_out),
    (("dataset.combine_prompt",), _combined),
    (
        (
            "dataset.shuffle_caption",
            "dataset.tag_dropout_rate",
            "dataset.token_warmup_steps",
            "dataset.keep_tokens",
            "dataset.keep_tokens_separator",
            "dataset.caption_separator",
            "dataset.secondary_separator",
        ),
        _tags,
    ),
)
