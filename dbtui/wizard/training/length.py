"""How long a training is."""

from dataclasses import dataclass

UNKNOWN = "The steps are counted when nothing is wrong any more; f6 says what is."
NO_PICTURES = "The passes are counted when the pictures are chosen."


@dataclass(frozen=True, slots=True)
class Length:
    """How long a training is.

    Attributes:
        steps: in all; 0 if that is not known.
        steps_a_pass: optimizer steps in one pass over the pictures; 0 if there are none.
        words: how the number comes about.
    """

    steps: int
    steps_a_pass: int
    words: str
