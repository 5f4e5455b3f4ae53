"""What a person types into the screen, as the request that it means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainer_core.errors import ExitCode, UserError
from trainer_core.generate.request import Request, pictures_of
from trainer_core.text import safe_text

USUAL = Request(model="", prompts=(), out="")
_NAMES = {"seed": "the seed", "steps": "the steps", "scale": "the scale", "number": "the number of pictures"}


@dataclass(frozen=True, slots=True)
class Fields:
    """The answers as text; what is empty is the usual."""

    model: str = ""
    base: str = ""
    prompt: str = ""
    negative: str = ""
    seed: str = ""
    steps: str = ""
    scale: str = ""
    size: str = ""
    number: str = ""
    compare: bool = False


def request_of(fields: Fields, *, out: str, candidates: tuple[str, ...] = ()) -> Request:
    """Return what is asked for.

    Raises:
        UserError: something in it cannot be drawn, everything at once (code CONFIG).
    """
    problems = [] if fields.model.strip() else ["there is no model: name one, or a run"]
    numbers: dict[str, Any] = {}
    for name, words in _NAMES.items():
        text = getattr(fields, name).strip()
        value = _number(text, getattr(USUAL, name))
        if value is None:
            problems.append(f"{words} must be a number, not {safe_text(text, 40)}")
        else:
            numbers[name] = value
    try:
        size = parse_size(fields.size)
    except UserError as error:
        size = None
        problems += error.problems
    request = Request(
        model=fields.model.strip(),
        prompts=(fields.prompt,),
        out=out,
        negative=fields.negative,
        size=size,
        compare=fields.compare,
        base=fields.base.strip() or None,
        candidates=candidates,
        **numbers,
    )
    problems += _problems(request)
    if problems:
        raise UserError(problems, ExitCode.CONFIG)
    return request


def parse_size(text: str) -> tuple[int, int] | None:
    """Return "512,768" or "512x768" as numbers; None where nothing is said."""
    if not text.strip():
        return None
    sides = text.lower().replace("x", ",").split(",")
    if len(sides) != 2 or not all(side.strip().isascii() and side.strip().isdecimal() for side in sides):
        raise UserError(f"the size is W,H in pixels, such as 512,768, not {safe_text(text, 40)}", ExitCode.CONFIG)
    width, height = (int(side[:9]) for side in sides)
    return width, height


def _number(text: str, usual: float) -> float | None:
    if not text:
        return usual
    try:
        return float(text) if isinstance(usual, float) else int(text)
    except ValueError:
        return None


def _problems(request: Request) -> Iterator[str]:
    try:
        pictures_of(request)
    except UserError as error:
        yield from error.problems
