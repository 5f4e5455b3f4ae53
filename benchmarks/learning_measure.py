"""What a training did, in numbers: subject fidelity, hats, the class's drift, prompt fidelity."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from likeness import Likeness
from PIL import Image
from world_judge import LABELS, Judge

from dbtui.demo.world.palette import BACKGROUNDS, COATS
from dbtui.demo.world.scene import SIDE
from dbtui.demo.world.subject import CLASS, IDENTIFIER
from trainer_core.config.schema import Prompt
from trainer_core.train.preview import draw_together

STEPS, GUIDANCE = 20, 4.0
SUBJECT_PROMPT, CLASS_PROMPT = f"a {IDENTIFIER} {CLASS}", f"a {CLASS}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model draws, judged.

    Attributes:
        fidelity: how much more pictures of the subject's prompt look like the subject than like other frogs:
            mean cosine of centred features with the one's pictures, less that with the others'. From -2 to 2.
        hats: share of those pictures with a hat.
        class_hats: share of pictures of the class prompt with a hat: what prior preservation prevents.
        drift: how far pictures of the class prompt went from the start model's at the same seeds: mean
            1 - cosine. 0 for the start model.
        prompts: share of animals, colours and backgrounds that are as prompts of the drawn world say.
    """

    fidelity: float
    hats: float
    class_hats: float
    drift: float
    prompts: float


class Measure:
    """Judges models against the pictures of one start model; seeds are the same for all."""

    def __init__(self, judge: Judge, start: Any, *, pictures: int) -> None:
        self.judge, self.pictures = judge, pictures
        self.likeness = Likeness(judge.see, draw(start, [CLASS_PROMPT] * pictures))

    def of(self, model: Any, subject_prompt: str = SUBJECT_PROMPT) -> Measured:
        """Draw with `model` and judge."""
        subject = draw(model, [subject_prompt] * self.pictures)
        others = draw(model, [CLASS_PROMPT] * self.pictures)
        wanted = world_scenes(self.pictures)
        return Measured(
            fidelity=self.likeness.fidelity(subject),
            hats=_share_with_hat(self.judge, subject),
            class_hats=_share_with_hat(self.judge, others),
            drift=self.likeness.drift(others),
            prompts=_share_right(self.judge, draw(model, [prompt_of(each) for each in wanted]), wanted),
        )


def draw(model: Any, prompts: Sequence[str], steps: int = STEPS) -> list[Image.Image]:
    """Draw each prompt, the first at seed 0, the second at seed 1, and so on."""
    model.unet.eval()
    model.text_encoder.eval()
    wanted = [
        Prompt(prompt=prompt, seed=seed, steps=steps, guidance_scale=GUIDANCE)
        for seed, prompt in enumerate(prompts)
    ]
    off = torch.autocast("cpu", enabled=False)
    return draw_together(model, wanted, (SIDE, SIDE), torch.device("cpu"), clip_skip=None, autocast=off)


def world_scenes(count: int) -> list[dict[str, str]]:
    """Return animal, colour and background of `count` prompts, always the same ones."""
    chance = random.Random("prompts")
    animals = LABELS["animal"]
    return [
        {
            "animal": animals[number % len(animals)],
            "color": chance.choice([*COATS]),
            "background": chance.choice([*BACKGROUNDS]),
        }
        for number in range(count)
    ]


def prompt_of(wanted: dict[str, str]) -> str:
    """Put animal, colour and background into the words of the drawn world's captions."""
    text = f"a {wanted['color']} {wanted['animal']} on a {wanted['background']} background"
    return text.replace("a orange", "an orange")


def _share_with_hat(judge: Judge, pictures: Sequence[Image.Image]) -> float:
    return sum(told["hat"] == "hat" for told in judge.tell(pictures)) / len(pictures)


def _share_right(judge: Judge, pictures: Sequence[Image.Image], wanted: Sequence[dict[str, str]]) -> float:
    told = judge.tell(pictures)
    right = [seen[name] == each[name] for seen, each in zip(told, wanted, strict=True) for name in each]
    return sum(right) / len(right)
