"""Rules between the settings of captions and of the text encoder."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config


def _cached_texts(config: Config) -> Iterator[str]:
    if not config.dataset.cache_text:
        return
    text_encoder = config.text_encoder
    stops = (text_encoder.stop_at_step, text_encoder.stop_at_epoch, text_encoder.stop_at_fraction)
    if text_encoder.train and stops == (None, None, None):
        yield (
            "dataset.cache_text = true needs a text encoder that no longer changes, and it is trained to the end;"
            " set text_encoder.train = false or text_encoder.stop_at_step, or remove cache_text"
        )
    for name in ("shuffle_caption", "tag_dropout_rate", "wildcard", "token_warmup_steps"):
        if getattr(config.dataset, name):
            yield (
                f"dataset.cache_text = true needs captions that stay the same, and dataset.{name} makes new ones"
                f" at each step; remove cache_text or {name}"
            )


def _unfilled_parts(config: Config) -> Iterator[str]:
    length = config.text_encoder.max_token_length
    if config.text_encoder.no_token_padding and length > 75:
        yield (
            f"text_encoder.no_token_padding = true does not go with max_token_length = {length}: the parts of 75"
            " tokens in which long captions are read are always filled; remove one of them"
        )


TEXT_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (
        (
            "dataset.cache_text",
            "dataset.shuffle_caption",
            "dataset.tag_dropout_rate",
            "dataset.wildcard",
            "dataset.token_warmup_steps",
            "text_encoder.train",
            "text_encoder.stop_at_step",
            "text_encoder.stop_at_epoch",
            "text_encoder.stop_at_fraction",
        ),
        _cached_texts,
    ),
    (("text_encoder.no_token_padding", "text_encoder.max_token_length"), _unfilled_parts),
)
