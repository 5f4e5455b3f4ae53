"""OneTrainer's concepts and samples: the lists that its settings name, in files of their own or among them."""

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.rules import Entries, Left, Rule, Sets, To, number, whole

_FIXED = Left("it changes every picture the same way: do that to the pictures themselves")
_AUG = Left("dataset.color_aug varies hue, saturation and gamma together, for all pictures")
_SIZE = Left("all pictures are trained at one size, dataset.resolution; buckets keep their shapes")
_CAPITALS = Left("captions are trained as they are written")
_SPECIAL = Left("dataset.keep_tokens says which tags stay")
_VARIATIONS = Left("every step draws its variation anew here", unless=("1",))
_WEIGHT = Left("how much a concept counts is its repeats", unless=("1", "1.0"))
_VIDEO = Left("it is for videos and sounds")
_INPAINTING = Left("inpainting models are not trained here")
_COLOURS = (
    "enable_random_contrast random_contrast_max_strength enable_random_saturation"
    " random_saturation_max_strength enable_random_hue random_hue_max_strength"
)
_OF_ENCODERS = (
    "text_encoder_1_layer_skip text_encoder_2_layer_skip text_encoder_3_layer_skip"
    " text_encoder_4_layer_skip text_encoder_1_sequence_length text_encoder_2_sequence_length"
    " transformer_attention_mask prior_attention_mask"
)
_LAYERS = Left("previews are drawn as it is trained, model.clip_skip")


def _repeats(text: str) -> int:
    if number(text) != int(number(text)):
        raise ValueError("is not a whole number, and concept.repeats is one")
    return whole(text)


def _source(text: str) -> dict[str, bool]:
    """Read where captions come from: a file beside each picture, its name, or one file for all."""
    if text == "sample":
        return {}
    if text == "filename":
        return {"dataset.use_filename_as_caption": True}
    raise ValueError("means one file of prompts for a whole folder; captions stand beside the pictures here")


def _tags_dropped(text: str) -> float:
    """Read how many tags are dropped, in the mode that drops each by itself: "0.1 RANDOM"."""
    rate, _, mode = text.partition(" ")
    if mode != "RANDOM":
        raise ValueError("drops tags together or by their place; dataset.tag_dropout_rate drops each by itself")
    return number(rate)


_PICTURES: dict[str, Rule] = {
    "image.enable_crop_jitter": Sets({"dataset.random_crop": True}),
    "image.enable_random_flip": Sets({"dataset.flip_aug": True}),
    "image.enable_random_rotate": Left("the angle says it, dataset.rotate_aug"),
    "image.random_rotate_max_angle": To("dataset.rotate_aug", off=("0", "0.0")),
    "image.enable_random_brightness": Left("the strength says it, dataset.brightness_aug"),
    "image.random_brightness_max_strength": To("dataset.brightness_aug", off=("0", "0.0")),
    **{f"image.{name}": _AUG for name in _COLOURS.split()},
    **{
        f"image.enable_fixed_{name}": _FIXED
        for name in ("flip", "rotate", "brightness", "contrast", "saturation", "hue")
    },
    "image.enable_resolution_override": _SIZE,
    "image.resolution_override": _SIZE,
    "image.enable_random_circular_mask_shrink": reasons.MASKS,
    "image.enable_random_mask_rotate_crop": reasons.MASKS,
}
_TEXT: dict[str, Rule] = {
    "text.prompt_source": To("dataset.use_filename_as_caption", _source),
    "text.prompt_path": Left("captions stand beside the pictures here"),
    "text.enable_tag_shuffling": Sets({"dataset.shuffle_caption": True}),
    "text.tag_delimiter": To("dataset.caption_separator", off=(",",)),
    "text.keep_tags_count": To("dataset.keep_tokens", off=("0",)),
    "text.tag_dropout_enable": Left("the probability says it, dataset.tag_dropout_rate"),
    "text.tag_dropout_mode": Left("it is read together with tag_dropout_probability"),
    "text.tag_dropout_probability": To("dataset.tag_dropout_rate", _tags_dropped, off=("0", "0.0")),
    "text.tag_dropout_special_tags_mode": _SPECIAL,
    "text.tag_dropout_special_tags": _SPECIAL,
    "text.tag_dropout_special_tags_regex": _SPECIAL,
    "text.caps_randomize_enable": _CAPITALS,
    "text.caps_randomize_probability": _CAPITALS,
    "text.caps_randomize_mode": _CAPITALS,
    "text.caps_randomize_lowercase": _CAPITALS,
}
_CONCEPT: dict[str, Rule] = {
    "path": To("concept.instance_dir", belongs=reasons.PLACE),
    "balancing": To("concept.repeats", _repeats, belongs=reasons.WORDS),
    "repeats": To("concept.repeats", _repeats, belongs=reasons.WORDS),
    "balancing_strategy": Left("repeats count here, not pictures", unless=("repeats",)),
    "name": Left("a concept is known by its folder here"),
    "seed": Left("everything random follows train.seed here"),
    "enabled": Left("it is on", unless=("true",)),
    "type": Left("it is trained like any other", unless=("standard",)),
    "validation_concept": reasons.VALIDATION,
    "include_subdirectories": Left("folders in a concept's folder are not looked into: make each a [[concept]]"),
    "image_variations": _VARIATIONS,
    "text_variations": _VARIATIONS,
    "loss_weight": _WEIGHT,
    "concept_stats": Left("`dbtui scan` counts the pictures"),
}
_SAMPLE: dict[str, Rule] = {
    "prompt": To("sample.prompts.prompt", belongs=reasons.WORDS),
    "negative_prompt": To("sample.prompts.negative_prompt", belongs=reasons.WORDS),
    "width": To("sample.prompts.width", belongs=reasons.WORDS),
    "height": To("sample.prompts.height", belongs=reasons.WORDS),
    "seed": To("sample.prompts.seed", off=("-1",), belongs=reasons.WORDS),
    "random_seed": Left("a preview keeps its seed, so that it shows what was learned"),
    "diffusion_steps": To("sample.prompts.steps", belongs=reasons.WORDS),
    "cfg_scale": To("sample.prompts.guidance_scale", belongs=reasons.WORDS),
    "noise_scheduler": reasons.SAMPLER,
    "enabled": Left("it is on", unless=("true",)),
    **dict.fromkeys(
        _OF_ENCODERS.split(),
        _LAYERS,
    ),
    "force_last_timestep": Left("previews of models with zero terminal SNR begin at the last timestep anyway"),
    **dict.fromkeys(("frames", "length"), _VIDEO),
    **dict.fromkeys(("sample_inpainting", "base_image_path", "mask_image_path"), _INPAINTING),
}

CONCEPTS = Entries("concept", {**_CONCEPT, **_PICTURES, **_TEXT}, "concept")
SAMPLES = Entries("sample.prompts", _SAMPLE, "sample")
