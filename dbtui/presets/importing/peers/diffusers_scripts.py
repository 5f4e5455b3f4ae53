"""train_dreambooth.py of diffusers and of its forks: ShivamShrirao's, and the notebook's of the tutorial."""

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.words import optimizer, preview, scheduler, tensorboard, tracker
from dbtui.presets.importing.rules import Left, Peer, Rule, Sets, To, chosen, sides

_PREVIEWS = "it needs prompts"
_CAPTIONS = Left("a .txt beside a picture is read as its caption by itself")
_UPLOAD = Sets({"hub.push": True}, belongs=reasons.PLACE)

_OTHER_MODELS = (
    "text_encoder_use_attention_mask tokenizer_max_length class_labels_conditioning skip_save_text_encoder"
)
_PRIOR_OPTIONS = (
    "prior_loss_weight num_class_images class_prompt class_data_dir class_negative_prompt"
    " sample_batch_size infer_batch_size infer_steps guidance_scale"
)

OPTIONS: dict[str, Rule] = {
    # what belongs to one machine or one subject
    "pretrained_model_name_or_path": To("model.base", belongs=reasons.PLACE),
    "pretrained_vae_name_or_path": To("model.vae", off=("",), belongs=reasons.PLACE),
    "revision": To("model.revision", off=("", "fp16"), belongs=reasons.PLACE),
    "tokenizer_name": To("model.tokenizer", off=("",), belongs=reasons.PLACE),
    "instance_data_dir": To("concept.instance_dir", belongs=reasons.PLACE),
    "class_data_dir": To("concept.class_dir", off=("",), belongs=reasons.PLACE),
    "instance_prompt": To("concept.instance_prompt", off=("",), belongs=reasons.WORDS),
    "class_prompt": To("concept.class_prompt", off=("",), belongs=reasons.WORDS),
    "class_negative_prompt": To("prior.class_negative_prompt"),
    "output_dir": To("save.output_dir", belongs=reasons.PLACE),
    "logging_dir": To("log.dir", tensorboard, off=("",), belongs=reasons.PLACE),
    "hub_model_id": To("hub.repo_id", belongs=reasons.PLACE),
    "push_to_hub": _UPLOAD,
    "concepts_list": Left("give it to a run: dbtui run PRESET --concepts FILE"),
    # pictures
    "resolution": To("dataset.resolution", sides),
    "use_aspect_ratio_bucket": Sets({"dataset.bucket.enable": True}),
    "hflip": Sets({"dataset.flip_aug": True}),
    "cache_latents": Sets({"dataset.cache_latents": "ram"}),
    "not_cache_latents": Sets({"dataset.cache_latents": "off"}),
    "use_filename_as_label": Sets({"dataset.use_filename_as_caption": True}),
    "use_txt_as_label": _CAPTIONS,
    "read_prompts_from_txts": _CAPTIONS,
    "read_prompt_from_txt": To("dataset.captions_for", chosen("dataset.captions_for"), off=("", "no")),
    "with_prior_preservation": Sets({"prior.num_class_images": 100}, is_weak=True),
    "prior_loss_weight": To("prior.weight"),
    "num_class_images": To("prior.num_class_images"),
    "sample_batch_size": To("prior.sample_batch_size"),
    "infer_batch_size": To("prior.sample_batch_size"),
    "infer_steps": To("prior.infer_steps"),
    "guidance_scale": To("prior.guidance_scale"),
    # learning
    "train_text_encoder": Sets({"text_encoder.train": True}),
    "learning_rate": To("optimizer.learning_rate"),
    "scale_lr": Sets({"optimizer.scale_lr": True}),
    "optimizer": To("optimizer.type", optimizer, off=("",)),
    "use_8bit_adam": Sets({"optimizer.type": "adamw8bit"}),
    "adam_beta1": To("optimizer.betas", lambda text: {"optimizer.betas.0": float(text)}),
    "adam_beta2": To("optimizer.betas", lambda text: {"optimizer.betas.1": float(text)}),
    "adam_weight_decay": To("optimizer.weight_decay"),
    "adam_epsilon": To("optimizer.eps"),
    "max_grad_norm": To("optimizer.max_grad_norm"),
    "lr_scheduler": To("scheduler.type", scheduler),
    "lr_warmup_steps": To("scheduler.warmup_steps"),
    "lr_num_cycles": To("scheduler.cycles"),
    "lr_cycles": To("scheduler.cycles", off=("", "0", "-1")),
    "lr_power": To("scheduler.power"),
    "max_train_steps": To("train.max_steps", off=("",)),
    "num_train_epochs": To("train.epochs", off=("",)),
    "train_batch_size": To("train.batch_size"),
    "gradient_accumulation_steps": To("train.gradient_accumulation"),
    "seed": To("train.seed", off=("", "-1")),
    "dataloader_num_workers": To("train.workers", off=("", "0")),
    "snr_gamma": To("loss.min_snr_gamma", off=("", "0", "0.0")),
    "offset_noise": Sets({"loss.noise_offset": 0.1}),
    "clip_skip": To("model.clip_skip", off=("", "0")),
    # memory
    "mixed_precision": To("memory.mixed_precision"),
    "gradient_checkpointing": Sets({"memory.gradient_checkpointing": True}),
    "enable_xformers_memory_efficient_attention": Sets({"memory.attention": "xformers"}),
    # what comes out
    "save_interval": To("save.every_n_steps", off=("", "0")),
    "save_model_every_n_steps": To("save.every_n_steps", off=("", "0")),
    "save_unet_half": Sets({"save.unet_precision": "fp16"}),
    "save_sample_prompt": To("sample.prompts.prompt", preview, off=("",), belongs=reasons.WORDS),
    "test_prompt": To("sample.prompts.prompt", preview, off=("",), belongs=reasons.WORDS),
    "validation_prompt": To("sample.prompts.prompt", preview, off=("",), belongs=reasons.WORDS),
    "save_sample_negative_prompt": To("sample.prompts.negative_prompt", off=("",), belongs=reasons.WORDS),
    "test_negative_prompt": To("sample.prompts.negative_prompt", off=("",), belongs=reasons.WORDS),
    "test_seed": To("sample.prompts.seed", belongs=_PREVIEWS),
    "save_guidance_scale": To("sample.prompts.guidance_scale", belongs=_PREVIEWS),
    "save_infer_steps": To("sample.prompts.steps", belongs=_PREVIEWS),
    "test_prompts_file": To("sample.prompts_file", off=("",), belongs=reasons.PLACE),
    "auto_test_model": Sets({"sample.after_save": True}, belongs=_PREVIEWS),
    "n_save_sample": To("sample.num_per_prompt", belongs=_PREVIEWS),
    "test_num_per_prompt": To("sample.num_per_prompt", belongs=_PREVIEWS),
    "num_validation_images": To("sample.num_per_prompt", belongs=_PREVIEWS),
    "validation_steps": To("sample.every_n_steps", belongs=_PREVIEWS),
    "wandb": Sets({"log.wandb": True}),
    "log_with": To("log.wandb", tracker, off=("", "tensorboard")),
    "report_to": To("log.wandb", tracker, off=("", "tensorboard")),
    # what is not taken over
    "center_crop": Left("pictures are cropped at the centre unless dataset.random_crop is on"),
    "debug_arb": reasons.PICTURES,
    "last_epoch": Left("the place in the schedule is part of a checkpoint: `dbtui resume`"),
    "hub_token": reasons.SECRET,
    "local_rank": reasons.ONE_DEVICE,
    "save_min_steps": Left("models are saved from the first interval on"),
    "pad_tokens": Left("captions are filled up to 77 tokens unless text_encoder.no_token_padding is on"),
    "checkpointing_steps": reasons.STATE,
    "checkpoints_total_limit": reasons.STATE,
    "resume_from_checkpoint": reasons.RESUME,
    "log_interval": reasons.ITSELF,
    "variant": reasons.ITSELF,
    "validation_images": reasons.VALIDATION,
    "validation_scheduler": reasons.SAMPLER,
    **dict.fromkeys(
        ["set_grads_to_none", "allow_tf32", "prior_generation_precision", "pre_compute_text_embeddings"],
        reasons.KERNELS,
    ),
    **dict.fromkeys(
        _OTHER_MODELS.split(),
        reasons.OTHER_MODEL,
    ),
}

_ALIASES = {
    "lr_num_cycle": "lr_num_cycles",
    "concept_list": "concepts_list",
    "use_8bit_adamw": "use_8bit_adam",
    "aspect_ratio_bucket": "use_aspect_ratio_bucket",
}
_DEFAULTS = {
    "text_encoder.train": False,
    "optimizer.type": "adamw",
    "optimizer.learning_rate": 5e-6,
    "train.batch_size": 4,
}

_PRIOR = _PRIOR_OPTIONS.split()
_NEEDS = dict.fromkeys(_PRIOR, "with_prior_preservation")
_REMARK = (
    "prior.num_class_images",
    "a step there trains each picture together with a class picture, here they are mixed: twice the steps or"
    " twice train.batch_size, train as much",
)

TRAIN_DREAMBOOTH = Peer(
    name="train_dreambooth.py",
    scripts=("train_dreambooth.py",),
    options=OPTIONS,
    aliases=_ALIASES,
    defaults=_DEFAULTS,
    needs=_NEEDS,
    yields=("train.max_steps", "train.epochs"),
    remark=_REMARK,
)

TRAIN_DREAMBOOTH_LORA = Peer(
    name="train_dreambooth_lora.py",
    scripts=("train_dreambooth_lora.py",),
    options={
        **OPTIONS,
        "rank": To("network.rank"),
        "lora_dropout": To("network.dropout"),
    },
    aliases=_ALIASES,
    defaults={**_DEFAULTS, "optimizer.learning_rate": 5e-4, "method.train": "lora", "network.rank": 4},
    needs=_NEEDS,
    yields=("train.max_steps", "train.epochs"),
    remark=_REMARK,
)
