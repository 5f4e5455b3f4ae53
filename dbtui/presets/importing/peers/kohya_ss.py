"""bmaltais/kohya_ss: the settings that its pages save as JSON. Most are named after options of sd-scripts."""

from typing import Any

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.fine_tune import FINE_TUNE
from dbtui.presets.importing.peers.launcher import ACCELERATE
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.peers.words import own_rate
from dbtui.presets.importing.rules import Left, Peer, Rule, Sets, To, chosen, number, whole

FULL_NAME, LORA_NAME, FINE_NAME = (
    "kohya_ss settings",
    "kohya_ss settings of a LoRA",
    "kohya_ss settings of fine-tuning",
)

_LYCORIS = Left("it is for networks other than LoRA and LoCon")
_BLOCKS = Left("ranks and rates of single blocks have no settings")
_OTHER_NETWORKS = (
    "LyCORIS_preset decompose_both factor use_cp use_tucker use_scalar rank_dropout_scale constrain rescaled"
    " train_norm train_on_input unit dora_wd bypass_mode"
)
_OF_BLOCKS = (
    "block_alphas block_dims block_lr_zero_threshold conv_block_alphas conv_block_dims conv_alphas conv_dims"
)
_MORE_BLOCKS = "down_lr_weight mid_lr_weight up_lr_weight"
_OTHER_KINDS = (
    "sdxl_cache_text_encoder_outputs sdxl_no_half_vae sdxl sdxl_checkbox flux1_checkbox sd3_checkbox LoRA_type"
    " learning_rate_te1 learning_rate_te2 block_lr fused_optimizer_groups blockwise_fused_optimizers"
    " flux_fused_backward_pass flux1_cache_text_encoder_outputs flux1_cache_text_encoder_outputs_to_disk"
    " flux1_clip_l flux1_t5xxl ae clip_l clip_g t5xxl t5xxl_lr t5xxl_device t5xxl_dtype t5xxl_max_token_length"
    " train_t5xxl apply_t5_attn_mask discrete_flow_shift model_prediction_type timestep_sampling split_mode"
    " split_qkv train_blocks enable_all_linear guidance_scale mem_eff_save blocks_to_swap single_blocks_to_swap"
    " double_blocks_to_swap img_attn_dim img_mlp_dim img_mod_dim single_dim single_mod_dim txt_attn_dim"
    " txt_mlp_dim txt_mod_dim in_dims train_double_block_indices train_single_block_indices"
    " sd3_cache_text_encoder_outputs sd3_cache_text_encoder_outputs_to_disk sd3_fused_backward_pass sd3_clip_l"
    " sd3_clip_l_dropout_rate clip_g_dropout_rate sd3_disable_mmap_load_safetensors sd3_enable_scaled_pos_embed"
    " sd3_t5_dropout_rate sd3_t5xxl sd3_text_encoder_batch_size logit_mean logit_std mode_scale"
    " pos_emb_random_crop_rate save_clip save_t5xxl weighting_scheme"
)
LORA_ONLY = (
    "network_dim network_alpha network_dropout conv_dim conv_alpha rank_dropout module_dropout unet_lr"
    " text_encoder_lr scale_weight_norms lora_network_weights network_weights dim_from_weights training_comment"
    " loraplus_lr_ratio loraplus_unet_lr_ratio loraplus_text_encoder_lr_ratio train_lora_ggpo ggpo_sigma ggpo_beta"
)
"""Settings that count on the page for LoRAs alone."""
_FILES_OF_CAPTIONS = (
    "train_dir batch_size caption_metadata_filename latent_metadata_filename full_path create_caption"
    " create_buckets use_latent_files"
)
_GGPO = Left("noise on a LoRA's own weights (GGPO) is not here")
_ONE_RATIO = Left("LoRA+ has one ratio here, network.loraplus_lr_ratio")


def _share(text: str) -> float | dict[str, bool]:
    """Read the percentage of steps after which the text encoder stays; -1 is from the start."""
    return {"text_encoder.train": False} if number(text) < 0 else number(text) / 100


def _attention(text: str) -> Any:
    return "xformers" if text.lower() == "true" else chosen("memory.attention")(text)


_OWN: dict[str, Rule] = {
    "max_resolution": TRAIN_DB.options["resolution"],
    "epoch": To("train.epochs", off=("", "0")),
    "lr_warmup": To("scheduler.warmup_percent", off=("", "0", "0.0")),
    "lr_warmup_steps": To("scheduler.warmup_steps", whole, off=("", "0")),
    "stop_text_encoder_training": To("text_encoder.stop_at_fraction", _share, off=("", "0")),
    "stop_text_encoder_training_pct": To("text_encoder.stop_at_fraction", _share, off=("", "0")),
    "seed": To("train.seed", off=("", "0", "-1")),
    "xformers": To("memory.attention", _attention, off=("", "false", "none")),
    "use_wandb": Sets({"log.wandb": True}),
    "sample_prompts": Left("write its lines into a file, and name that as sample.prompts_file"),
    "lora_network_weights": To("network.init_from", off=("",), belongs=reasons.PLACE),
    "model_list": Left("pretrained_model_name_or_path says the same"),
    "noise_offset_type": Left("the noise that it chooses is the one whose settings are taken over"),
    "extra_accelerate_launch_args": reasons.ONE_DEVICE,
    "lowvram": reasons.KERNELS,
    "log_tracker_name": To("log.wandb_project", off=("",), belongs=reasons.WORDS),
    **dict.fromkeys(_OTHER_NETWORKS.split(), _LYCORIS),
    **dict.fromkeys(f"{_OF_BLOCKS} {_MORE_BLOCKS}".split(), _BLOCKS),
    **dict.fromkeys(_OTHER_KINDS.split(), reasons.OTHER_MODEL),
}
_LORA: dict[str, Rule] = {
    "LoRA_type": Left("the kinds that are known here are Standard and Kohya LoCon, by method.train and conv_rank"),
    "conv_dim": To("network.conv_rank"),
    "conv_alpha": To("network.conv_alpha"),
    "rank_dropout": To("network.rank_dropout"),
    "module_dropout": To("network.module_dropout"),
    "text_encoder_lr": To("text_encoder.learning_rate", own_rate, off=("",)),
    "learning_rate_te": Left("on the page for LoRAs text_encoder_lr counts"),
    "loraplus_lr_ratio": To("network.loraplus_lr_ratio", off=("", "0", "0.0")),
    "loraplus_unet_lr_ratio": _ONE_RATIO,
    "loraplus_text_encoder_lr_ratio": _ONE_RATIO,
    **dict.fromkeys(("train_lora_ggpo", "ggpo_sigma", "ggpo_beta"), _GGPO),
}
_FINE: dict[str, Rule] = {
    "image_folder": FINE_TUNE.options["train_data_dir"],
    "masked_loss": reasons.MASKS,
    "cpu_offload_checkpointing": reasons.KERNELS,
    **dict.fromkeys(
        _FILES_OF_CAPTIONS.split(),
        Left("captions stand in files beside the pictures here, and nothing is prepared"),
    ),
}

FULL = Peer(
    name=FULL_NAME,
    scripts=(FULL_NAME,),
    options={**ACCELERATE.options, **TRAIN_DB.options, **_OWN},
    aliases={old: new for old, new in TRAIN_DB.aliases.items() if old not in _OWN},
    defaults=TRAIN_DB.defaults,
)
FINE = Peer(
    name=FINE_NAME,
    scripts=(FINE_NAME,),
    options={**ACCELERATE.options, **FINE_TUNE.options, **_OWN, **_FINE},
    aliases=FULL.aliases,
    defaults={**FINE_TUNE.defaults, "dataset.bucket.enable": True},
)
LORA = Peer(
    name=LORA_NAME,
    scripts=(LORA_NAME,),
    options={**ACCELERATE.options, **TRAIN_NETWORK.options, **_OWN, **_LORA},
    aliases=FULL.aliases,
    defaults=TRAIN_NETWORK.defaults,
    instead=TRAIN_NETWORK.instead,
)
