"""Rules of class pictures: prompts that nothing would use are refused."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config


def unused_class_prompts(config: Config) -> Iterator[str]:
    """Yield the class prompts that nothing uses; to be asked once the pictures are known.

    A class prompt is trained with the pictures of its class_dir, and class pictures are drawn with it; where the
    concept has no class, it also names the class to which the pictures in dataset.reg_dir are matched.
    """
    is_drawn, has_reg = config.prior.num_class_images is not None, config.dataset.reg_dir is not None
    for number, concept in enumerate(config.concept, start=1):
        names_class = concept.class_ is None and has_reg
        if concept.class_prompt is not None and concept.class_dir is None and not names_class and not is_drawn:
            yield (
                f"concept.class_prompt (in [[concept]] number {number}) is used only with class_dir or"
                " prior.num_class_images; give class pictures with --reg, have them drawn, or remove class_prompt"
            )
    if config.prior.class_prompt is not None and not _uses_prior_prompt(config):
        yield (
            "prior.class_prompt is used only for class pictures whose concept has no class_prompt; give class"
            " pictures with --reg, set prior.num_class_images, or remove prior.class_prompt"
        )


def _uses_prior_prompt(config: Config) -> bool:
    if config.dataset.reg_dir is not None:
        return True
    is_drawn = config.prior.num_class_images is not None
    of_concepts = any(each.class_prompt is None and (each.class_dir or is_drawn) for each in config.concept)
    return of_concepts or (is_drawn and config.dataset.train_dir is not None)


def _negative_prompts(config: Config) -> Iterator[str]:
    """At a guidance scale of 1 a picture is drawn from its prompt alone."""
    if config.prior.num_class_images is None or config.prior.guidance_scale != 1:
        return
    named = {"prior.class_negative_prompt": config.prior.class_negative_prompt}
    for number, concept in enumerate(config.concept, start=1):
        named[f"concept.class_negative_prompt (in [[concept]] number {number})"] = (
            concept.class_negative_prompt or ""
        )
    for name, text in named.items():
        if text:
            yield f"{name} is used only with prior.guidance_scale above 1 (it is 1); raise it or drop the prompt"


PRIOR_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (
        ("prior.class_negative_prompt", "concept.class_negative_prompt", "prior.guidance_scale"),
        _negative_prompts,
    ),
)
