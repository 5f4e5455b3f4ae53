"""Types of values that several tables share, and the conditions under which settings are used."""

from typing import Annotated

from pydantic import Field

from trainer_core.config.declare import UsedWhen

Side = Annotated[int, Field(ge=64, le=4096, multiple_of=64)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$",
        description="1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter, digit or _",
    ),
]
Extension = Annotated[
    str, Field(pattern=r"^\.?[A-Za-z0-9_]{1,16}$", description="a file extension of 1 to 16 letters or digits")
]

AS_FULL = UsedWhen("method.train", ("full",))
AS_LORA = UsedWhen("method.train", ("lora",))
WITH_BUCKETS = UsedWhen("dataset.bucket.enable", (True,))
WITH_TEXT_ENCODER = UsedWhen("text_encoder.train", (True,))
WITH_PROMPTS = UsedWhen("method.captions", ("dreambooth", "hybrid"))
"""The methods that train prompts and class pictures too, not the captions alone."""
