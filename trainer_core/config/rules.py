"""Rules between settings that no single declaration can state."""

from collections.abc import Callable, Iterator

from trainer_core.config.caption_rules import CAPTION_RULES
from trainer_core.config.fsdp_rules import FSDP_RULES
from trainer_core.config.learning_rules import LEARNING_RULES
from trainer_core.config.prior_rules import PRIOR_RULES
from trainer_core.config.problems import Problems
from trainer_core.config.schema import Config, Prompt
from trainer_core.config.speed_rules import SPEED_RULES
from trainer_core.config.text_rules import TEXT_RULES
from trainer_core.on_disk import is_absent
from trainer_core.text import safe_text

_NOVELAI_RESOLUTION = (512, 768)
_NOVELAI_STEP = 64
MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".bin")


def report_broken_rules(config: Config, source: str, problems: Problems) -> None:
    """Note what does not go together in a configuration whose values are right one by one."""
    for keys, rule in _RULES:
        if not problems.bad.intersection(keys):
            for text in rule(config):
                problems.add(source, text)


def is_local_model(name: str) -> bool:
    """Whether `name` means a file or folder rather than a Hub id such as owner/name."""
    return name.endswith(MODEL_SUFFIXES) or name.startswith((".", "/", "~")) or not is_absent(name)


def _bucket_sides(config: Config) -> Iterator[str]:
    bucket, (width, height) = config.dataset.bucket, config.dataset.resolution
    if not bucket.enable or bucket.no_upscale or bucket.shapes == "novelai":
        return
    if bucket.min_reso > bucket.max_reso:
        yield (
            f"dataset.bucket.min_reso is {bucket.min_reso} and max_reso is {bucket.max_reso};"
            " the smallest side cannot exceed the largest"
        )
        return
    if bucket.min_reso // bucket.step * bucket.step > min(width, height):
        yield (
            f"dataset.bucket.min_reso is {bucket.min_reso}; it can be at most the shorter side of"
            f" dataset.resolution, {min(width, height)}"
        )
    if -(-bucket.max_reso // bucket.step) * bucket.step < max(width, height):
        yield (
            f"dataset.bucket.max_reso is {bucket.max_reso}; it must be at least the longer side of"
            f" dataset.resolution, {max(width, height)}"
        )


def _novelai(config: Config) -> Iterator[str]:
    bucket, (width, height) = config.dataset.bucket, config.dataset.resolution
    if not bucket.enable or bucket.no_upscale or bucket.shapes != "novelai":
        return
    if (min(width, height), max(width, height)) != _NOVELAI_RESOLUTION:
        yield (
            f'dataset.bucket.shapes = "novelai" is a list for 512 x 768, and dataset.resolution is {width} x'
            f' {height}; set dataset.resolution = [512, 768], or shapes = "kohya", which has sizes for any area'
        )
    if bucket.step != _NOVELAI_STEP:
        yield (
            f'dataset.bucket.step is {bucket.step}, and the sizes of shapes = "novelai" are multiples of'
            ' 64; remove step, or set shapes = "kohya"'
        )


def _new_pixels(config: Config) -> Iterator[str]:
    """Latents can be kept of a picture and of its mirror image, not of one that is new at each step."""
    dataset = config.dataset
    if dataset.cache_latents == "off":
        return
    for name in ("random_crop", "color_aug", "brightness_aug", "rotate_aug"):
        if getattr(dataset, name):
            yield (
                f"dataset.{name} makes a new picture at each step, which cannot be encoded ahead;"
                f' set dataset.cache_latents = "off" (it is "{dataset.cache_latents}"), or remove {name}'
            )


def _keep_last(config: Config) -> Iterator[str]:
    save = config.save
    if save.keep_last is not None and save.every_n_epochs is None and save.every_n_steps is None:
        yield (
            "save.keep_last is used only with save.every_n_steps or save.every_n_epochs;"
            " set one of them or remove it"
        )


def _revision(config: Config) -> Iterator[str]:
    model = config.model
    if model.revision is not None and model.base is not None and is_local_model(model.base):
        yield (
            f"model.revision is used only with a Hub id, and model.base is the path {safe_text(model.base)};"
            " remove model.revision"
        )


def why_unused_negative(prompt: Prompt) -> str | None:
    """Return why the negative prompt of a preview has no effect; None if it has, or there is none."""
    if prompt.negative_prompt and prompt.guidance_scale == 1:
        return "is used only with guidance_scale above 1 (it is 1); raise that or remove the negative prompt"
    return None


def _negative_prompt(config: Config) -> Iterator[str]:
    for number, prompt in enumerate(config.sample.prompts, start=1):
        if why := why_unused_negative(prompt):
            yield f"sample.prompts.negative_prompt (in [[sample.prompts]] number {number}) {why}"


def _after_save(config: Config) -> Iterator[str]:
    save = config.save
    if config.sample.after_save and save.every_n_epochs is None and save.every_n_steps is None:
        yield (
            "sample.after_save is used only with save.every_n_steps or save.every_n_epochs;"
            " set one of them or remove it"
        )


def _precision_of_nothing(config: Config) -> Iterator[str]:
    save = config.save
    if save.precision and save.unet_precision and save.text_encoder_precision and save.vae_precision:
        yield (
            "save.precision has no effect beside unet_precision, text_encoder_precision and vae_precision;"
            " remove it or one of them"
        )


def _place_of_no_log(config: Config) -> Iterator[str]:
    log = config.log
    if not (log.tensorboard or log.wandb):
        for name in ("dir", "prefix"):
            if getattr(log, name):
                yield f"log.{name} is used only with log.tensorboard or log.wandb; set one of them or remove it"


def _format_of_a_lora(config: Config) -> Iterator[str]:
    if config.method.train == "lora" and config.save.format not in {"same", "safetensors"}:
        yield (
            f'save.format is "{config.save.format}", and a LoRA is always one .safetensors file; remove it, or set'
            ' method.train = "full"'
        )


_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    *TEXT_RULES,
    *CAPTION_RULES,
    *LEARNING_RULES,
    (
        (
            "dataset.resolution",
            "dataset.bucket.enable",
            "dataset.bucket.min_reso",
            "dataset.bucket.max_reso",
            "dataset.bucket.step",
            "dataset.bucket.no_upscale",
        ),
        _bucket_sides,
    ),
    (("dataset.resolution", "dataset.bucket.enable", "dataset.bucket.shapes", "dataset.bucket.step"), _novelai),
    (
        (
            "dataset.cache_latents",
            "dataset.random_crop",
            "dataset.color_aug",
            "dataset.brightness_aug",
            "dataset.rotate_aug",
        ),
        _new_pixels,
    ),
    (("save.keep_last", "save.every_n_epochs", "save.every_n_steps"), _keep_last),
    (("model.revision", "model.base"), _revision),
    (("sample.prompts.negative_prompt", "sample.prompts.guidance_scale"), _negative_prompt),
    (("sample.after_save", "save.every_n_epochs", "save.every_n_steps"), _after_save),
    (
        ("save.precision", "save.unet_precision", "save.text_encoder_precision", "save.vae_precision"),
        _precision_of_nothing,
    ),
    (("log.tensorboard", "log.wandb", "log.dir", "log.prefix"), _place_of_no_log),
    (("method.train", "save.format"), _format_of_a_lora),
    *PRIOR_RULES,
    *SPEED_RULES,
    *FSDP_RULES,
)
