"""What the step of class pictures says: each choice with its consequence, and the balance as two bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from dbtui.wizard.class_pictures.choice import USUAL_COUNT, From, OneClass
from dbtui.wizard.class_pictures.weigh import Weighed, balancing
from dbtui.wizard.draft import Tables
from dbtui.wizard.widgets.choices import Choice
from trainer_core.config.words import Path
from trainer_core.data.balance import ClassBalance, class_key
from trainer_core.data.listing import counted
from trainer_core.disk import gigabytes
from trainer_core.text import safe_text

NOT_ASKED = (
    "Class pictures are not asked for: this training has no identifier, so there is no class that could be"
    " mistaken for it. Each picture is trained with its own caption (method.captions = finetune).\n\n"
    "Go on with enter. Another goal, in step 1, asks this question."
)
_BYTES = 3
"""A picture that is drawn is at most three bytes a pixel."""
_LABEL, _NUMBER = 10, 7
_LEAST_BAR = 10


def offered(named: Sequence[OneClass], count: int | None, steps: int, size: tuple[int, int]) -> list[Choice]:
    """Return the choices, each with what follows from it in a line."""
    count, several = count or USUAL_COUNT, max(1, len(named))
    total = count * several
    disk = gigabytes(total * size[0] * size[1] * _BYTES)
    each = f"{count} each, " if several > 1 else ""
    what = _what(named)
    words: dict[From, tuple[str, str, str]] = {
        "folder": (
            "A folder of mine",
            "no time, no disk",
            f"{what}; half of what is trained are these.",
        ),
        "generate": (
            "Drawn by the model",
            f"{each}{total * steps:,} drawing steps first, up to {disk}",
            f"{what}. Drawn once; later runs find them again.",
        ),
        "none": ("None, native training", "half the work", _drift(named)),
    }
    return [Choice(value, title, (line,), note) for value, (title, note, line) in words.items()]


def placeholder(path: Path, concepts: Sequence[Tables]) -> str:
    """Return what an empty field of this setting means; "" where its default says it."""
    name = path[-1]
    if name == "class_prompt":
        number = path[1]
        of = concepts[number] if isinstance(number, int) and number < len(concepts) else {}
        return safe_text(of.get("class") or "the name of the class", 60)
    return {"class_dir": "a folder of pictures", "reg_dir": 'holds folders like "1_frog"'}.get(str(name), "")


def why(named: Sequence[OneClass]) -> str:
    """Say why class pictures are a question at all."""
    name = safe_text(named[0].name, 24) if named and named[0].name else "frog"
    return (
        f"Your pictures show one {name}. A model that sees only those forgets that there are others.\n\n"
        f"Class pictures show any {name} and are trained beside yours, under that word alone, so that only your"
        " identifier means yours.\n\n"
        "The bars count what a pass over the data holds of each. Where the class has more, the rest of it is never"
        " used; where it has less, it is repeated until both are equal."
    )


def balance_lines(weighed: Weighed, width: int) -> Content:
    """Return two bars for each class: what counts in a pass, and how that comes about."""
    is_one = len(weighed.balances) == 1
    bars = [bar for each in weighed.balances for bar in _bars_of(each, weighed, is_only=is_one)]
    words = max((len(bar.words) for bar in bars), default=0)
    room = max(_LEAST_BAR, width - _LABEL - _NUMBER - words - 3)
    scale = room / max([1, *(bar.count for bar in bars)])
    return Content("\n").join([_drawn(bar, scale, room) for bar in bars])


def balance_hint(weighed: Weighed, renames: Sequence[tuple[str, str]]) -> str:
    """Say what balances the two, or that they are balanced."""
    if not any(each.balancing_repeats for each in weighed.balances):
        return ""
    wanted = balancing(weighed)
    if not wanted:
        return "Balanced: the repeats are just enough for every class picture to be used."
    if renames:
        moves = ", ".join(f'"{name}" to "{other}"' for name, other in renames)
        return f"Folder names decide here: rename {moves}; that is just enough. Nothing is renamed for you."
    repeats = " and ".join(str(each) for each in dict.fromkeys(wanted.values()))
    counts = [each.train_pictures * each.balancing_repeats for each in weighed.balances if each.balancing_repeats]
    return f"b (in a field: f8) sets repeats to {repeats}, which is just enough ({', '.join(map(str, counts))})."


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    count: int
    words: str
    style: str


def _bars_of(each: ClassBalance, weighed: Weighed, *, is_only: bool) -> list[_Bar]:
    key = class_key(each.class_name)
    repeats = sorted(folder.repeats for folder in weighed.folders if class_key(folder.class_name) == key)
    times = f"{repeats[0]}" if repeats[0] == repeats[-1] else f"{repeats[0]} to {repeats[-1]}"
    words = f"{counted(each.train_pictures, 'picture')} x {times}"
    label = "training" if is_only else safe_text(each.class_name or "no class", _LABEL - 1)
    bars = [_Bar(label, each.train_count, words, "$primary")]
    if each.class_pictures:
        bars.append(_Bar("class" if is_only else "  class", each.class_count, _use(each, weighed), "$secondary"))
    return bars


def _drawn(bar: _Bar, scale: float, room: int) -> Content:
    length = max(1, round(bar.count * scale)) if bar.count else 0
    return Content.assemble(
        (f"{bar.label:{_LABEL}}", "dim"),
        ("█" * length + " " * (room - length), bar.style),
        f"{bar.count:>{_NUMBER},}  ",
        (bar.words, "dim"),
    )


def _use(each: ClassBalance, weighed: Weighed) -> str:
    to_draw = weighed.to_draw.get(class_key(each.class_name), 0)
    drawn = f"{to_draw} to be drawn, " if to_draw else ""
    return drawn + (f"{each.unused_pictures} never used" if each.unused_pictures else "all used")


def _what(named: Sequence[OneClass]) -> str:
    if len(named) == 1 and named[0].name:
        return f'"{safe_text(named[0].name, 24)}" keeps its meaning'
    return "The classes keep their meaning" if len(named) > 1 else "The class keeps its meaning"


def _drift(named: Sequence[OneClass]) -> str:
    if len(named) == 1 and named[0].name:
        name = safe_text(named[0].name, 24)
        return f"The class drifts: every {name} may end up looking like yours."
    return "The class drifts: everything of its kind may end up looking like yours."
