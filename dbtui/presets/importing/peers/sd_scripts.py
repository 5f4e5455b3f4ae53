"""kohya-ss/sd-scripts: train_db.py and train_network.py for SD 1.x and 2.x."""

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.words import optimizer, own_rate, scheduler, stop, tensorboard, tracker, warmup
from dbtui.presets.importing.rules import Left, Parts, Peer, Rule, Sets, To, chosen, pair, sides

_NO_ARGUMENT = "there is no setting for this argument"
_FREEZE = {"text_encoder.train": False}


_KERNELS = (
    "vae_batch_size persistent_data_loader_workers lowram highvram torch_compile dynamo_backend"
    " cache_info skip_cache_check tokenizer_cache_dir cpu_offload_checkpointing console_log_level"
    " console_log_file console_log_simple disable_mmap_load_safetensors"
)
_DEVICES = (
    "ddp_timeout ddp_gradient_as_bucket_view ddp_static_graph deepspeed zero_stage offload_optimizer_device"
    " offload_optimizer_nvme_path offload_param_device offload_param_nvme_path zero3_init_flag"
    " zero3_save_16bit_model fp16_master_weights_and_gradients"
)
_VALIDATION = (
    "validation_seed validation_split validate_every_n_steps validate_every_n_epochs max_validation_steps"
)

_METADATA = (
    "metadata_title metadata_author metadata_description metadata_license metadata_tags metadata_usage_hint"
    " metadata_thumbnail metadata_merged_from metadata_trigger_phrase metadata_preprocessor"
    " metadata_is_negative_embedding"
)

COMMON: dict[str, Rule] = {
    # what belongs to one machine
    "pretrained_model_name_or_path": To("model.base", belongs=reasons.PLACE),
    "train_data_dir": To("dataset.train_dir", belongs=reasons.PLACE),
    "reg_data_dir": To("dataset.reg_dir", belongs=reasons.PLACE),
    "vae": To("model.vae", belongs=reasons.PLACE),
    "output_dir": To("save.output_dir", belongs=reasons.PLACE),
    "output_name": To("save.output_name", belongs=reasons.WORDS),
    "logging_dir": To("log.dir", tensorboard, belongs=reasons.PLACE),
    "sample_prompts": To("sample.prompts_file", belongs=reasons.PLACE),
    "huggingface_repo_id": To("hub.repo_id", belongs=reasons.PLACE),
    # model
    "v2": Sets({"model.family": "sd2"}),
    "v_parameterization": Sets({"model.prediction": "v"}),
    "clip_skip": To("model.clip_skip", off=("", "0")),
    # pictures
    "resolution": To("dataset.resolution", sides),
    "enable_bucket": Sets({"dataset.bucket.enable": True}),
    "min_bucket_reso": To("dataset.bucket.min_reso"),
    "max_bucket_reso": To("dataset.bucket.max_reso"),
    "bucket_reso_steps": To("dataset.bucket.step"),
    "bucket_no_upscale": Sets({"dataset.bucket.no_upscale": True}),
    "color_aug": Sets({"dataset.color_aug": 0.1}),
    "flip_aug": Sets({"dataset.flip_aug": True}),
    "random_crop": Sets({"dataset.random_crop": True}),
    "cache_latents": Sets({"dataset.cache_latents": "ram"}),
    "cache_latents_to_disk": Sets({"dataset.cache_latents": "disk"}),
    # captions
    "caption_extension": To("dataset.caption_extension", off=("",)),
    "shuffle_caption": Sets({"dataset.shuffle_caption": True}),
    "caption_separator": To("dataset.caption_separator"),
    "secondary_separator": To("dataset.secondary_separator", off=("",)),
    "keep_tokens": To("dataset.keep_tokens"),
    "keep_tokens_separator": To("dataset.keep_tokens_separator", off=("",)),
    "enable_wildcard": Sets({"dataset.wildcard": True}),
    "caption_prefix": To("dataset.caption_prefix"),
    "caption_suffix": To("dataset.caption_suffix"),
    "caption_dropout_rate": To("dataset.caption_dropout_rate"),
    "caption_dropout_every_n_epochs": To("dataset.caption_dropout_every_n_epochs", off=("", "0", "0.0")),
    "caption_tag_dropout_rate": To("dataset.tag_dropout_rate"),
    "token_warmup_min": To("dataset.token_warmup_min"),
    "token_warmup_step": To("dataset.token_warmup_steps"),
    "max_token_length": To("text_encoder.max_token_length", chosen("text_encoder.max_token_length"), off=("",)),
    "no_token_padding": Sets({"text_encoder.no_token_padding": True}),
    # learning
    "prior_loss_weight": To("prior.weight"),
    "learning_rate": To("optimizer.learning_rate"),
    "optimizer_type": To("optimizer.type", optimizer, off=("",)),
    "use_8bit_adam": Sets({"optimizer.type": "adamw8bit"}),
    "use_lion_optimizer": Sets({"optimizer.type": "lion"}),
    "optimizer_args": Parts(
        {
            "weight_decay": To("optimizer.weight_decay"),
            "betas": To("optimizer.betas", pair),
            "eps": To("optimizer.eps"),
        },
        _NO_ARGUMENT,
    ),
    "max_grad_norm": To("optimizer.max_grad_norm"),
    "lr_scheduler": To("scheduler.type", scheduler, off=("",)),
    "lr_warmup_steps": To("scheduler.warmup_steps", warmup),
    "lr_scheduler_num_cycles": To("scheduler.cycles", off=("",)),
    "lr_scheduler_power": To("scheduler.power", off=("",)),
    "max_train_steps": To("train.max_steps", off=("", "0")),
    "max_train_epochs": To("train.epochs", off=("", "0")),
    "train_batch_size": To("train.batch_size"),
    "gradient_accumulation_steps": To("train.gradient_accumulation"),
    "seed": To("train.seed", off=("", "-1")),
    "max_data_loader_n_workers": To("train.workers", off=("", "0")),
    # loss
    "min_snr_gamma": To("loss.min_snr_gamma", off=("", "0", "0.0")),
    "debiased_estimation_loss": Sets({"loss.debiased_estimation": True}),
    "scale_v_pred_loss_like_noise_pred": Sets({"loss.scale_v_like_noise": True}),
    "noise_offset": To("loss.noise_offset", off=("",)),
    "noise_offset_random_strength": Sets({"loss.noise_offset_random_strength": True}),
    "adaptive_noise_scale": To("loss.adaptive_noise_scale", off=("",)),
    "multires_noise_iterations": To("loss.multires_noise_iterations", off=("",)),
    "multires_noise_discount": To("loss.multires_noise_discount", off=("", "0", "0.0")),
    "ip_noise_gamma": To("loss.ip_noise_gamma", off=("",)),
    "ip_noise_gamma_random_strength": Sets({"loss.ip_noise_gamma_random_strength": True}),
    "zero_terminal_snr": Sets({"loss.zero_terminal_snr": True}),
    "min_timestep": To("loss.min_timestep", off=("",)),
    "max_timestep": To("loss.max_timestep", off=("",)),
    "loss_type": To("loss.type", off=("",)),
    "huber_c": To("loss.huber_c", off=("",)),
    "huber_schedule": To("loss.huber_schedule", off=("",)),
    # memory
    "mixed_precision": To("memory.mixed_precision", off=("",)),
    "full_fp16": Sets({"memory.full_fp16": True}),
    "full_bf16": Sets({"memory.full_bf16": True}),
    "gradient_checkpointing": Sets({"memory.gradient_checkpointing": True}),
    "fused_backward_pass": Sets({"memory.fused_backward": True}),
    "fp8_base": Sets({"memory.base_dtype": "fp8"}),
    "fp8_base_unet": Sets({"memory.base_dtype": "fp8"}),
    "xformers": Sets({"memory.attention": "xformers"}),
    "diffusers_xformers": Sets({"memory.attention": "xformers"}),
    "sdpa": Sets({"memory.attention": "sdpa"}),
    "mem_eff_attn": Sets({"memory.attention": "sliced"}),
    # what comes out
    "save_model_as": To("save.format", off=("", "same as source model")),
    "use_safetensors": Sets({"save.format": "safetensors"}),
    "save_precision": To("save.precision", chosen("save.precision", fp32="float", float32="float"), off=("",)),
    "save_every_n_epochs": To("save.every_n_epochs", off=("", "0")),
    "save_every_n_steps": To("save.every_n_steps", off=("", "0")),
    "save_last_n_epochs": To("save.keep_last", off=("", "0")),
    "sample_every_n_steps": To("sample.every_n_steps", off=("", "0"), belongs="it needs prompts"),
    "sample_every_n_epochs": To("sample.every_n_epochs", off=("", "0"), belongs="it needs prompts"),
    "sample_at_first": Sets({"sample.before_training": True}, belongs="it needs prompts"),
    "log_with": To("log.wandb", tracker, off=("", "tensorboard")),
    "log_prefix": To("log.prefix", belongs=reasons.WORDS),
    "log_tracker_name": To("log.wandb_project", off=("",), belongs=reasons.WORDS),
    # what is not taken over
    "save_n_epoch_ratio": Left("set save.every_n_epochs instead: its number depends on the pictures"),
    "save_last_n_steps": Left("it counts steps, and save.keep_last counts models"),
    "save_last_n_steps_state": reasons.STATE,
    "save_last_n_epochs_state": reasons.STATE,
    "save_state": reasons.STATE,
    "save_state_on_train_end": reasons.STATE,
    "save_state_to_huggingface": reasons.STATE,
    "resume": reasons.RESUME,
    "resume_from_huggingface": reasons.RESUME,
    "initial_epoch": reasons.RESUME,
    "initial_step": reasons.RESUME,
    "skip_until_initial_step": reasons.RESUME,
    "debug_dataset": Left("`dbtui scan --preview OUT` draws what will be trained"),
    "dataset_config": reasons.OTHER_DATA,
    "dataset_class": Left(reasons.CODE),
    "config_file": Left("the settings are in that file; import it too"),
    "in_json": Left("captions are read from files beside the pictures"),
    "skip_image_resolution": Left("pictures are taken whatever their size; leave the small ones out"),
    "train_inpainting": Left("inpainting models are not trained here"),
    "dataset_repeats": Left("repeats stand in the folder's name, or in [[concept]]"),
    "face_crop_aug_range": Left("face crops need file names that another program wrote; use random_crop"),
    "conditioning_data_dir": reasons.MASKS,
    "masked_loss": reasons.MASKS,
    "alpha_mask": reasons.MASKS,
    "weighted_captions": reasons.WEIGHTED,
    "sample_sampler": reasons.SAMPLER,
    "v_pred_like_loss": Left("it has no effect in train_db.py, and no counterpart here"),
    "huber_scale": Left("huber_c says where the loss turns linear, and nothing scales it"),
    "lr_scheduler_type": Left(reasons.CODE),
    "lr_scheduler_args": Left(reasons.CODE),
    "lr_decay_steps": Left("the schedules here fall over all steps"),
    "lr_scheduler_timescale": Left("its schedule (inverse square root) is not here"),
    "lr_scheduler_min_lr_ratio": Left("the schedules here fall to zero"),
    "resize_interpolation": Left("pictures are made smaller by area and larger by Lanczos"),
    "no_half_vae": Left("the VAE encodes in float32 anyway"),
    "wandb_run_name": Left("a log is named after its run"),
    "log_tracker_config": Left("a log is configured by [log] alone"),
    "log_config": reasons.ITSELF,
    "wandb_api_key": reasons.SECRET,
    "huggingface_token": reasons.SECRET,
    "huggingface_repo_type": reasons.UPLOAD,
    "huggingface_path_in_repo": reasons.UPLOAD,
    "huggingface_repo_visibility": reasons.UPLOAD,
    "async_upload": reasons.UPLOAD,
    "output_config": Left("`dbtui run FILE --dry-run` prints the complete run file"),
    "no_metadata": reasons.METADATA,
    "training_comment": reasons.METADATA,
    **dict.fromkeys(_METADATA.split(), reasons.METADATA),
    **dict.fromkeys(
        _KERNELS.split(),
        reasons.KERNELS,
    ),
    **dict.fromkeys(_DEVICES.split(), reasons.ONE_DEVICE),
    **dict.fromkeys(
        _VALIDATION.split(),
        reasons.VALIDATION,
    ),
}  # fmt: skip

_DEFAULTS = {"optimizer.type": "adamw", "optimizer.learning_rate": 2e-6, "dataset.cache_latents": "off"}
_ALIASES = {
    "caption_extention": "caption_extension",
    "num_train_epochs": "max_train_epochs",
    "lr_warmup": "lr_warmup_steps",
    "optimizer": "optimizer_type",
}

TRAIN_DB = Peer(
    name="train_db.py",
    scripts=("train_db.py",),
    options={
        **COMMON,
        "stop_text_encoder_training": To("text_encoder.stop_at_step", stop, off=("", "0")),
        "learning_rate_te": To("text_encoder.learning_rate", own_rate, off=("",)),
        "full_bf16": Left(
            "train_db.py takes it and does nothing with it; here it would: set memory.full_bf16 to try"
        ),
        "fp8_base": Left("train_db.py takes it and does nothing with it"),
        "fp8_base_unet": Left("train_db.py takes it and does nothing with it"),
    },
    aliases=_ALIASES,
    defaults=_DEFAULTS,
)


def _rates(names: set[str]) -> dict[str, Rule]:
    """Where --unet_lr is given, --learning_rate is the text encoder's, unless that has one too."""
    if "unet_lr" not in names:
        return {}
    if "text_encoder_lr" in names:
        return {"learning_rate": Left("--unet_lr and --text_encoder_lr count instead, as there")}
    return {"learning_rate": To("text_encoder.learning_rate", own_rate)}


_FILE = "what it trains is another kind of file than the LoRA here"

TRAIN_NETWORK = Peer(
    name="train_network.py",
    scripts=("train_network.py",),
    options={
        **COMMON,
        "network_module": Left("networks.lora is meant by method.train"),
        "network_dim": To("network.rank", off=("",)),
        "network_alpha": To("network.alpha", off=("",)),
        "network_dropout": To("network.dropout", off=("",)),
        "network_args": Parts(
            {
                "conv_dim": To("network.conv_rank"),
                "conv_alpha": To("network.conv_alpha"),
                "rank_dropout": To("network.rank_dropout"),
                "module_dropout": To("network.module_dropout"),
                "dropout": To("network.dropout"),
                "loraplus_lr_ratio": To("network.loraplus_lr_ratio"),
                "loraplus_unet_lr_ratio": Left("LoRA+ has one ratio here, network.loraplus_lr_ratio"),
                "loraplus_text_encoder_lr_ratio": Left("LoRA+ has one ratio here, network.loraplus_lr_ratio"),
                "algo": Left(_FILE),
            },
            "ranks, rates and weights of single blocks have no settings, nor have arguments of other networks",
        ),
        "network_weights": To("network.init_from", off=("",), belongs=reasons.PLACE),
        "dim_from_weights": Left("a LoRA that network.init_from names brings its ranks with it"),
        "network_train_unet_only": Sets(_FREEZE),
        "network_train_text_encoder_only": Left("the U-Net always learns here"),
        "unet_lr": To("optimizer.learning_rate", off=("",)),
        "text_encoder_lr": To("text_encoder.learning_rate", own_rate, off=("",)),
        "scale_weight_norms": To("network.scale_weight_norms", off=("", "0", "0.0")),
        "base_weights": Left("`dbtui merge` puts a LoRA into the start model first"),
        "base_weights_multiplier": Left("`dbtui merge` puts a LoRA into the start model first"),
    },
    aliases=_ALIASES,
    defaults={**_DEFAULTS, "method.train": "lora", "network.rank": 4, "network.alpha": 1.0},
    instead=_rates,
)
