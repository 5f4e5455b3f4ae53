"""What is done to a caption at each step: prefix, suffix, dropout, wildcards, shuffling, tag warm-up and dropout.

The steps and their order are those of kohya's sd-scripts. Two differ: with wildcards, prefix and suffix go round
every line of a caption, not round the first and the last; without them, the lines are one text.
"""

import math
import random
import re
from collections.abc import Sequence

from trainer_core.config.tables.captions import CaptionSettings
from trainer_core.data.dataset import Item
from trainer_core.data.order import Draw, derive_seed

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")


class CaptionSteps:
    """The text that each sample is trained with; it depends on the settings, the item and the draw alone.

    Attributes:
        varies: whether an item can have other texts than its own one and "". If it cannot, `fixed_texts` lists
            everything that will ever be asked for.
    """

    def __init__(self, settings: CaptionSettings, items: Sequence[Item], total_steps: int) -> None:
        """Prepare the texts of `items`; `total_steps` is what a warm-up shorter than one step is a share of."""
        self._settings = settings
        self._handled = [_is_handled(settings, item) for item in items]
        self._texts = [
            _framed(settings, item.picture.caption) if handled else item.picture.caption
            for item, handled in zip(items, self._handled, strict=True)
        ]
        warmup = settings.token_warmup_steps
        self._warmup = math.floor(warmup * total_steps) if warmup < 1 else math.floor(warmup)
        self._splits = settings.shuffle_caption or self._warmup > 0 or settings.tag_dropout_rate > 0
        self._drops = settings.caption_dropout_rate > 0 or settings.caption_dropout_every_n_epochs is not None
        handled_texts = [text for text, handled in zip(self._texts, self._handled, strict=True) if handled]
        chooses = settings.wildcard and any(map(has_choices, handled_texts))
        self.varies = bool(handled_texts) and (self._splits or chooses)
        if not self.varies:
            chance = random.Random(0)  # nothing is left to it
            self._texts = [
                self._changed(text, 0, chance) if handled else text
                for text, handled in zip(self._texts, self._handled, strict=True)
            ]

    def __call__(self, draw: Draw) -> str:
        """Return the text of one sample."""
        if self._drops and self._handled[draw.item] and self._is_dropped(draw):
            return ""
        return self.kept(draw)

    def kept(self, draw: Draw) -> str:
        """Return the text of one sample as it is where its caption is not dropped."""
        text = self._texts[draw.item]
        if not self.varies or not self._handled[draw.item]:
            return text
        return self._changed(text, draw.step, random.Random(derive_seed(draw.seed, "caption")))

    def longest(self, index: int) -> str:
        """Return the longest text that the item of that index has."""
        return max(self._texts[index].split("\n"), key=len)

    def most_movable(self) -> int:
        """Return the most tags that a text has besides those that stay where they are."""
        handled = (text for text, is_handled in zip(self._texts, self._handled, strict=True) if is_handled)
        lines = {line for text in handled for line in text.split("\n")}
        return max((len(self._parts(line)[1]) for line in lines), default=0)

    def fixed_texts(self) -> tuple[str, ...]:
        """Return every text that can occur, each once; only where `varies` is false.

        Raises:
            ValueError: the texts vary, so that they cannot be listed.
        """
        if self.varies:
            raise ValueError("the texts are made anew at each step")
        empty = [""] if self._drops and any(self._handled) else []
        return tuple(dict.fromkeys([*self._texts, *empty]))

    def _is_dropped(self, draw: Draw) -> bool:
        every = self._settings.caption_dropout_every_n_epochs
        if every is not None and (draw.epoch + 1) % every == 0:
            return True
        return random.Random(derive_seed(draw.seed, "dropout")).random() < self._settings.caption_dropout_rate

    def _changed(self, text: str, step: int, chance: random.Random) -> str:
        settings = self._settings
        if settings.wildcard:
            text = _choose(text, chance)
        if self._splits:
            text = ", ".join(self._tags(text, step, chance))
        if settings.secondary_separator:
            text = text.replace(settings.secondary_separator, settings.caption_separator)
        return text

    def _tags(self, text: str, step: int, chance: random.Random) -> list[str]:
        """Return the tags that remain, in their new order."""
        settings = self._settings
        first, flexible, last = self._parts(text)
        if step < self._warmup:
            least = settings.token_warmup_min
            flexible = flexible[: math.floor(step * (len(flexible) - least) / self._warmup) + least]
        if settings.shuffle_caption:
            chance.shuffle(flexible)
        if settings.tag_dropout_rate > 0:
            flexible = [tag for tag in flexible if chance.random() >= settings.tag_dropout_rate]
        return [*first, *flexible, *last]

    def _parts(self, text: str) -> tuple[list[str], list[str], list[str]]:
        """Split into the tags that stay in front, those that are handled, and those that stay behind."""
        separator, keep = self._settings.keep_tokens_separator, self._settings.keep_tokens
        if separator and separator in text:
            first, flexible, *last = text.split(separator, 2)
            return self._split(first), self._split(flexible), self._split(" ".join(last))
        tags = self._split(text)
        return tags[:keep], tags[keep:], []

    def _split(self, text: str) -> list[str]:
        tags = (tag.strip() for tag in text.split(self._settings.caption_separator))
        return [tag for tag in tags if tag]


def _is_handled(settings: CaptionSettings, item: Item) -> bool:
    return settings.captions_for in ("both", "class" if item.is_class else "instance")


def _framed(settings: CaptionSettings, text: str) -> str:
    """Put prefix and suffix round each line of `text`."""
    return "\n".join(
        " ".join(filter(None, (settings.caption_prefix, line, settings.caption_suffix)))
        for line in text.split("\n")
    )


def has_choices(text: str) -> bool:
    """Tell whether a wildcard leaves anything to chance in `text`."""
    return "\n" in text or any("|" in (match[1] or "") for match in _BRACES.finditer(text))


def _choose(text: str, chance: random.Random) -> str:
    """Take one line, then one part of each {a|b}; {{ and }} become braces."""
    lines = text.split("\n")
    line = chance.choice(lines) if len(lines) > 1 else text

    def part(match: re.Match[str]) -> str:
        return chance.choice(match[1].split("|")) if match[1] else match[0][0]

    return _BRACES.sub(part, line)
