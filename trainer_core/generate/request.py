"""What is asked of a model: the light half, which whoever starts the drawing process fills in. No torch."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import ValidationError

from trainer_core.config.fields import all_fields
from trainer_core.config.rules import why_unused_negative
from trainer_core.config.schema import Prompt
from trainer_core.config.words import expected
from trainer_core.errors import ExitCode, UserError
from trainer_core.text import safe_text

Precision = Literal["auto", "float", "fp16", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MOST_PICTURES = 1000
_WORDS = {
    "prompt": "the prompt",
    "negative_prompt": "the negative prompt",
    "seed": "the seed",
    "steps": "the steps",
    "guidance_scale": "the scale",
    "width": "the width",
    "height": "the height",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The pictures that somebody wants. Paths are absolute.

    Attributes:
        model: a model, a LoRA, a checkpoint of a run, or a run; a file, a folder or a Hub id.
        prompts: what to draw, each `number` times.
        out: folder of the pictures.
        seed: of the first picture of each prompt; those behind it count up.
        size: width and height; None for what the model was trained at.
        compare: draw each picture with the start model too.
        base: the start model, or a folder of models among which it is looked for.
        candidates: further files among which a LoRA's start model may be.
    """

    model: str
    prompts: tuple[str, ...]
    out: str
    negative: str = ""
    seed: int = 1
    steps: int = 30
    scale: float = 7.5
    size: tuple[int, int] | None = None
    number: int = 1
    compare: bool = False
    base: str | None = None
    candidates: tuple[str, ...] = ()
    precision: Precision = "auto"

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @staticmethod
    def from_json(line: str | bytes) -> "Request":
        """Return the request that `to_json` wrote; ValueError or TypeError if it is none."""
        values: dict[str, Any] = json.loads(line)
        for name in ("prompts", "candidates", "size"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return Request(**values)


def pictures_of(request: Request) -> list[Prompt]:
    """Return every picture that is asked for, prompt after prompt.

    Raises:
        UserError: anything in it cannot be drawn, everything at once (code CONFIG).
    """
    problems = list(_problems(request))
    prompts: list[Prompt] = []
    for text in list(filter(str.strip, request.prompts)) or ["-"]:
        for more in range(request.number if not problems else 1):
            try:
                prompts.append(Prompt.model_validate(_values(request, text, more)))
            except ValidationError as error:
                problems += _told(error)
    if prompts and not problems and (why := why_unused_negative(prompts[0])):
        problems.append(f"the negative prompt {why.replace('guidance_scale', 'the scale')}")
    if problems:
        raise UserError(list(dict.fromkeys(problems)), ExitCode.CONFIG)
    return prompts


def _problems(request: Request) -> Iterator[str]:
    if not request.prompts or not all(text.strip() for text in request.prompts):
        yield "there is no prompt: say what to draw"
    if request.number < 1 or request.number * len(request.prompts) > MOST_PICTURES:
        yield f"the number of pictures must be from 1 to {MOST_PICTURES} in all"
    if request.precision not in PRECISIONS:
        yield f"the precision must be one of {', '.join(PRECISIONS)}"


def _values(request: Request, text: str, more: int) -> dict[str, Any]:
    width, height = request.size or (None, None)
    return {
        "prompt": text.strip(),
        "negative_prompt": request.negative.strip(),
        "seed": request.seed + more,
        "steps": request.steps,
        "guidance_scale": request.scale,
        "width": width,
        "height": height,
    }


def _told(error: ValidationError) -> Iterator[str]:
    for details in error.errors(include_url=False):
        name = str(details["loc"][0])
        wanted = expected(all_fields()[f"sample.prompts.{name}"].value)
        yield f"{_WORDS[name]} must be {wanted}, not {safe_text(details['input'], limit=60)}"
