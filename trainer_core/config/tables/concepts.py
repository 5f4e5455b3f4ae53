"""[[concept]] and [prior]: what is learned, and what keeps its class from becoming it."""

from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.tables.types import WITH_PROMPTS

WHEN_GENERATED = UsedWhen("prior.num_class_images", unless=(None,))


class Concept(Table):
    """One thing to learn, from folders with any name."""

    identifier: str | None = setting(
        None,
        'The rare word that stands for the subject; "by" and the word for a style.',
        group="Concepts",
        affects="batch",
        used_when=WITH_PROMPTS,
        min_length=1,
        personal="prompt",
    )
    class_: str | None = setting(
        None,
        "The kind of thing that it is, such as dog.",
        group="Concepts",
        affects="batch",
        used_when=WITH_PROMPTS,
        min_length=1,
        alias="class",
        personal="prompt",
    )
    instance_dir: str | None = setting(
        None,
        "Folder of its pictures.",
        group="Concepts",
        affects="batch",
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    class_dir: str | None = setting(
        None,
        "Folder of regularization pictures of its class.",
        group="Concepts",
        affects="batch",
        used_when=WITH_PROMPTS,
        binding=True,
        path="folder",
        min_length=1,
        changeable=True,
    )
    repeats: int = setting(
        1,
        "How often each picture counts in an epoch.",
        group="Concepts",
        affects="batch",
        unit="times",
        ge=1,
        le=10000,
        personal="prompt",
    )
    instance_prompt: str | None = setting(
        None,
        'Prompt trained with its pictures; "<identifier> <class>" (of a style "<class>, by <word>") if not given;'
        " [filewords] stands for a picture's own caption, or else its name.",
        group="Concepts",
        affects="batch",
        min_length=1,
        personal="prompt",
    )
    class_prompt: str | None = setting(
        None,
        "Prompt trained with its class pictures, and with which they are drawn; prior.class_prompt, or else the"
        " class, if not given.",
        group="Concepts",
        affects="batch",
        used_when=WITH_PROMPTS,
        min_length=1,
        personal="prompt",
    )
    class_negative_prompt: str | None = setting(
        None,
        "What class pictures drawn for it shall not show; prior.class_negative_prompt if not given.",
        group="Concepts",
        affects="file",
        used_when=WHEN_GENERATED,
        max_length=2000,
        personal="prompt",
    )


class Prior(Table):
    """Prior preservation: what keeps the class from becoming the subject (Ruiz et al. 2022, section 3.2)."""

    weight: float = setting(
        1.0,
        "Weight of the regularization pictures in the loss.",
        group="Prior",
        affects="loss",
        used_when=WITH_PROMPTS,
        ge=0,
        le=10,
    )
    num_class_images: int | None = setting(
        None,
        "Have the start model draw class pictures until each class (each of its prompts, where it has several) has"
        " this many; none are drawn if not given.",
        group="Prior",
        affects="file",
        unit="pictures",
        used_when=WITH_PROMPTS,
        ge=1,
        le=100000,
    )
    class_prompt: str | None = setting(
        None,
        "Prompt of the class pictures, of those drawn and those without a caption, whose concept has no"
        " class_prompt; the class if not given.",
        group="Prior",
        affects="batch",
        used_when=WITH_PROMPTS,
        min_length=1,
        max_length=2000,
        personal="prompt",
    )
    class_negative_prompt: str = setting(
        "",
        "What the class pictures drawn shall not show.",
        group="Prior",
        affects="file",
        used_when=WHEN_GENERATED,
        max_length=2000,
        personal="prompt",
    )
    infer_steps: int = setting(
        30,
        "Denoising steps of the class pictures drawn.",
        group="Prior",
        affects="file",
        unit="steps",
        used_when=WHEN_GENERATED,
        ge=1,
        le=1000,
    )
    guidance_scale: float = setting(
        7.5,
        "How strictly the class pictures drawn follow their prompt.",
        group="Prior",
        affects="file",
        used_when=WHEN_GENERATED,
        ge=1,
        le=50,
    )
    sample_batch_size: int = setting(
        1,
        "Class pictures drawn at once.",
        group="Prior",
        affects="kernel",
        unit="pictures",
        used_when=WHEN_GENERATED,
        changeable=True,
        ge=1,
        le=256,
    )
