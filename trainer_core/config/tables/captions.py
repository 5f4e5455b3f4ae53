"""The captions' part of [dataset]: where a text comes from and what is done to it at each step."""

from typing import Literal

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import WITH_PROMPTS, Extension, Fraction


class CaptionSettings(Table):
    """Captions, in the order in which the settings apply."""

    caption_extension: Extension | None = setting(
        None,
        "Extension of the caption files; if not given, .caption is tried first, then .txt.",
        group="Captions",
        affects="batch",
    )
    use_filename_as_caption: bool = setting(
        False,
        "A picture without a caption file takes its own name, without leading digits, as caption.",
        group="Captions",
        affects="batch",
    )
    captions_for: Literal["instance", "class", "both"] = setting(
        "both",
        "Which pictures the captions and the settings below apply to; the others keep their folder's prompt.",
        group="Captions",
        affects="batch",
        used_when=WITH_PROMPTS,
    )
    combine_prompt: str | None = setting(
        None,
        'How a caption [PX] and the prompt [P] make one text, such as "[PX], [P]"; else the caption alone.',
        group="Captions",
        affects="batch",
        used_when=WITH_PROMPTS,
        min_length=1,
        max_length=200,
        personal="prompt",
    )
    caption_prefix: str = setting(
        "",
        "Put before every caption, with a space.",
        group="Captions",
        affects="batch",
        max_length=500,
        personal="prompt",
    )
    caption_suffix: str = setting(
        "",
        "Put behind every caption, with a space.",
        group="Captions",
        affects="batch",
        max_length=500,
        personal="prompt",
    )
    caption_dropout_rate: Fraction = setting(
        0.0, "Share of samples trained with an empty caption.", group="Captions", affects="batch"
    )
    caption_dropout_every_n_epochs: int | None = setting(
        None,
        "Every n-th epoch is trained with empty captions.",
        group="Captions",
        affects="batch",
        unit="epochs",
        ge=2,
        le=10**6,
    )
    wildcard: bool = setting(
        False,
        "Take one line of a caption file at random, and one part of {a|b}; {{ and }} are braces.",
        group="Captions",
        affects="batch",
    )
    caption_separator: str = setting(
        ",",
        "What stands between the tags of a caption.",
        group="Captions",
        affects="batch",
        min_length=1,
        max_length=8,
    )
    secondary_separator: str | None = setting(
        None,
        "Tags joined by this stay together; it becomes caption_separator afterwards.",
        group="Captions",
        affects="batch",
        min_length=1,
        max_length=8,
    )
    keep_tokens: int = setting(
        0,
        "The first n tags stay where they are and are never dropped.",
        group="Captions",
        affects="batch",
        unit="tags",
        ge=0,
        le=255,
    )
    keep_tokens_separator: str | None = setting(
        None,
        "What stands before this in a caption (and after its second occurrence) stays; instead of keep_tokens.",
        group="Captions",
        affects="batch",
        instead_of="dataset.keep_tokens",
        min_length=1,
        max_length=16,
    )
    shuffle_caption: bool = setting(False, "Shuffle the tags at each step.", group="Captions", affects="batch")
    tag_dropout_rate: Fraction = setting(
        0.0, "Share of tags dropped at each step.", group="Captions", affects="batch"
    )
    token_warmup_steps: float = setting(
        0.0,
        "Steps over which the number of tags used grows from token_warmup_min to all; below 1, a share of all"
        " steps.",
        group="Captions",
        affects="batch",
        unit="steps",
        ge=0,
        le=10**7,
    )
    token_warmup_min: int = setting(
        1,
        "Tags used at the first step of the warm-up.",
        group="Captions",
        affects="batch",
        unit="tags",
        used_when=UsedWhen("dataset.token_warmup_steps", unless=(0,)),
        ge=1,
        le=255,
    )
    cache_text: bool | None = setting(
        None,
        "Encode captions once and keep the result; if not given, wherever the text encoder is frozen and captions"
        " do not vary.",
        group="Captions",
        affects="memory",
        changeable=True,
    )
