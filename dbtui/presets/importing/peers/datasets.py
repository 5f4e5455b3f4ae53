"""kohya-ss/sd-scripts: the file of datasets (`--dataset_config`), whose subsets are folders of pictures."""

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.sd_scripts import COMMON
from dbtui.presets.importing.rules import Entries, Left, Peer, Rule, To

NAME = "sd-scripts datasets"

_SHARED = (
    "shuffle_caption caption_separator keep_tokens keep_tokens_separator secondary_separator enable_wildcard"
    " color_aug flip_aug face_crop_aug_range random_crop caption_prefix caption_suffix caption_dropout_rate"
    " caption_dropout_every_n_epochs caption_tag_dropout_rate token_warmup_min token_warmup_step caption_extension"
    " cache_info conditioning_data_dir alpha_mask resize_interpolation validation_seed validation_split"
    " bucket_no_upscale bucket_reso_steps enable_bucket max_bucket_reso min_bucket_reso resolution"
    " skip_image_resolution"
)
_SUBSET: dict[str, Rule] = {
    **{name: COMMON[name] for name in _SHARED.split()},
    "image_dir": To("concept.instance_dir", belongs=reasons.PLACE),
    "class_dir": To("concept.class_dir", belongs=reasons.PLACE),
    "num_repeats": To("concept.repeats", belongs=reasons.WORDS),
    "class_tokens": To("concept.instance_prompt", belongs=reasons.WORDS),
    "class_prompt": To("concept.class_prompt", belongs=reasons.WORDS),
    "is_reg": reasons.ITSELF,
    "metadata_file": COMMON["in_json"],
    "custom_attributes": Left("pictures have no further attributes here"),
    "batch_size": COMMON["train_batch_size"],
    "network_multiplier": Left("a LoRA is trained at its full strength", unless=("1", "1.0")),
}

DATASETS = Peer(
    name=NAME,
    scripts=(NAME,),
    options={"subsets": Entries("concept", _SUBSET, "subset")},
)
