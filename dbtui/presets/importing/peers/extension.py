"""d8ahazard/sd_dreambooth_extension: the db_config.json of a model, of all versions."""

from typing import Any

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.onetrainer_words import every
from dbtui.presets.importing.peers.words import own_rate
from dbtui.presets.importing.rules import Entries, Left, Peer, Rule, Sets, To, chosen, is_on, number, whole
from trainer_core.config.concepts_list import CONCEPT_FIELDS, PRIOR_FIELDS, PROMPT_FIELDS

NAME = "sd_dreambooth_extension settings"

_OPTIMIZERS = {
    "8bitadamw": "adamw8bit",
    "8bitadam": "adamw8bit",
    "torchadamw": "adamw",
    "adamw": "adamw",
    "lion": "lion",
    "8bitlion": "lion8bit",
    "paged8bitadamw": "paged_adamw8bit",
    "prodigy": "prodigy",
}
_SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")
_OFF = ("", "0", "0.0", "-1")
_PREVIEWS = every("sample.every_n_steps", "sample.every_n_epochs")

_ITS_COUNT = Left("it counts what was trained before; a run here counts from its own start")
_FOLDERS = Left("a run has a folder of its own")
_MODEL = Left("the start model is named by pretrained_model_name_or_path")
_PAUSE = Left("a run is paused by `dbtui pause`")
_FILES = Left("which files are written is save.format, save.every_n_epochs and save.keep_last")
_STOPPED = Left("after a stop the state is there, and `dbtui save` writes a model at any moment")
_SHRINKS = Left("prior.weight is the same from the first step to the last")
_SECOND = Left("the schedules here have no such second part")
_AVERAGE = Left("what is saved and drawn is the average, wherever one is kept")
_WEIGHT = Left("how strongly a LoRA acts is for those who draw with it, or for `dbtui merge`")
_SANITY = Left("give it as one of sample.prompts, with its seed")
_PAGE = Left("it is about the page that showed the training")
_TOKENS = Left("captions are trained as they are written")
_LIST = Left("give the list too: dbtui preset import FILE --concepts concepts_list.json")


def _optimizer(text: str) -> str:
    word = text.lower().replace(" ", "").replace("_", "")
    if word in _OPTIMIZERS:
        return _OPTIMIZERS[word]
    if "dadapt" in word:
        raise ValueError('has no counterpart; "prodigy", which follows D-Adaptation, finds its rate by itself too')
    raise ValueError(
        f"has no counterpart: optimizer.type is one of {', '.join(dict.fromkeys(_OPTIMIZERS.values()))}"
    )


def _schedule(text: str) -> str:
    if text in _SCHEDULES:
        return text
    raise ValueError(f"has no counterpart: scheduler.type is one of {', '.join(_SCHEDULES)}")


def _attention(text: str) -> str:
    word = text.lower()
    if word in ("xformers", "default", "no", "flash_attention"):
        return "xformers" if word == "xformers" else "sdpa"
    raise ValueError("has no counterpart: memory.attention is sdpa, xformers or sliced")


def _share_of_epochs(text: str) -> float | dict[str, Any]:
    """Read for which share of the epochs the text encoder learns: 1 is to the end, 0 not at all."""
    share = number(text)
    if share <= 0:
        return {"text_encoder.train": False}
    return {} if share >= 1 else share


def _model(text: str) -> dict[str, str]:
    """Read `model_type`; v2x is the 768 pixel model that predicts v."""
    kinds = {
        "v1x": {"model.family": "sd1"},
        "v2x": {"model.family": "sd2", "model.prediction": "v"},
        "v2x-512": {"model.family": "sd2", "model.prediction": "epsilon"},
    }
    if text in kinds:
        return kinds[text]
    raise ValueError("is another kind of model than SD 1.x and 2.x")


def _caches(text: str) -> str:
    return "ram" if is_on(text) else "off"


def _caches_not(text: str) -> str:
    return "off" if is_on(text) else "ram"


def _padded(text: str) -> dict[str, bool]:
    return {} if is_on(text) else {"text_encoder.no_token_padding": True}


def _trains(text: str) -> dict[str, bool]:
    return {} if is_on(text) else {"text_encoder.train": False}


_CONCEPT: dict[str, Rule] = {
    **{
        theirs: To(f"concept.{ours}", belongs=reasons.PLACE if ours.endswith("_dir") else reasons.WORDS)
        for theirs, ours in CONCEPT_FIELDS.items()
    },
    **{theirs: To(f"prior.{ours}", off=_OFF) for theirs, ours in PRIOR_FIELDS.items()},
    **{
        theirs: To(f"sample.prompts.{ours}", off=_OFF, belongs=reasons.WORDS)
        for theirs, ours in PROMPT_FIELDS.items()
    },
    "save_sample_prompt": To("sample.prompts.prompt", belongs=reasons.WORDS),
    "num_class_images": To("prior.num_class_images", off=_OFF),
    "num_class_image": To("prior.num_class_images", off=_OFF),
    "n_save_sample": To("sample.num_per_prompt", off=_OFF, belongs="it needs prompts"),
    "num_class_images_per": Left(
        "it counts class pictures for each picture of the subject; `dbtui run PRESET --concepts` counts them"
    ),
    "save_sample_template": Left("its grammar is the extension's; write prompts into sample.prompts_file"),
    "max_steps": Left("steps are for the whole run here, train.max_steps", unless=("-1", "0")),
    "is_valid": reasons.ITSELF,
    "file_prompt_contents": _TOKENS,
}
CONCEPT_NAMES = frozenset(_CONCEPT)
"""Fields of a concept, which stood in the settings themselves in the first versions, with c1_ to c4_ later."""

_GENERAL: dict[str, Rule] = {
    # what belongs to one machine or one subject
    "pretrained_model_name_or_path": To("model.base", off=("",), belongs=reasons.PLACE),
    "pretrained_vae_name_or_path": To("model.vae", off=("",), belongs=reasons.PLACE),
    "shared_diffusers_path": To("model.base", off=("",), belongs=reasons.PLACE),
    "model_name": To("save.output_name", off=("",), belongs=reasons.WORDS),
    "custom_model_name": To("save.output_name", off=("",), belongs=reasons.WORDS),
    "concepts_list": Entries("concept", _CONCEPT, "concept"),
    "concepts_path": _LIST,
    "use_concepts": _LIST,
    "model_dir": _FOLDERS,
    "model_path": _MODEL,
    "output_dir": _FOLDERS,
    "src": _MODEL,
    "use_shared_src": _MODEL,
    "lora_model_name": To("network.init_from", off=("",), belongs=reasons.PLACE),
    # model
    "v2": Sets({"model.family": "sd2"}),
    "model_type": To("model.family", _model),
    "clip_skip": To("model.clip_skip", off=("", "0", "1")),
    "max_token_length": To("text_encoder.max_token_length", chosen("text_encoder.max_token_length")),
    "pad_tokens": To("text_encoder.no_token_padding", _padded),
    "freeze_clip_normalization": Left("all of the text encoder learns, or nothing of it"),
    "train_unfrozen": Left("all of the text encoder learns, or nothing of it"),
    # pictures
    "resolution": To("dataset.resolution", lambda text: [whole(text)] * 2),
    "hflip": Sets({"dataset.flip_aug": True}),
    "center_crop": Left("pictures are cropped at the centre unless dataset.random_crop is on"),
    "cache_latents": To("dataset.cache_latents", _caches),
    "not_cache_latents": To("dataset.cache_latents", _caches_not),
    "shuffle_tags": Sets({"dataset.shuffle_caption": True}),
    "shuffle_after_epoch": reasons.ITSELF,
    "strict_tokens": _TOKENS,
    "dynamic_img_norm": Left("pictures are encoded as they are"),
    "sample_batch_size": To("prior.sample_batch_size"),
    "save_class_txt": Left("class pictures are trained with the prompt of their class"),
    "disable_class_matching": Left("class pictures are matched class by class here"),
    # learning
    "use_lora": Sets({"method.train": "lora"}),
    "learning_rate": To("optimizer.learning_rate"),
    "txt_learning_rate": To("text_encoder.learning_rate", own_rate),
    "lora_learning_rate": To("optimizer.learning_rate"),
    "lora_txt_learning_rate": To("text_encoder.learning_rate", own_rate),
    "lora_unet_rank": To("network.rank"),
    "lora_txt_rank": Left("both parts have one rank here, network.rank, as lora_unet_rank"),
    "lora_rank": To("network.rank"),
    "use_lora_extended": To("network.conv_rank"),
    "lora_weight": _WEIGHT,
    "lora_txt_weight": _WEIGHT,
    "lora_use_buggy_requires_grad": reasons.KERNELS,
    "train_text_encoder": To("text_encoder.train", _trains),
    "stop_text_encoder": To("text_encoder.stop_at_fraction", _share_of_epochs),
    "train_unet": Left("the U-Net always learns here", unless=("true",)),
    "num_train_epochs": To("train.epochs", off=("0",)),
    "max_train_steps": To("train.max_steps", off=_OFF),
    "train_batch_size": To("train.batch_size"),
    "gradient_accumulation_steps": To("train.gradient_accumulation"),
    "scale_lr": Sets({"optimizer.scale_lr": True}),
    "optimizer": To("optimizer.type", _optimizer),
    "use_8bit_adam": Sets({"optimizer.type": "adamw8bit"}),
    "adam_beta1": To("optimizer.betas", lambda text: {"optimizer.betas.0": float(text)}),
    "adam_beta2": To("optimizer.betas", lambda text: {"optimizer.betas.1": float(text)}),
    "adam_epsilon": To("optimizer.eps"),
    "weight_decay": To("optimizer.weight_decay"),
    "max_grad_norm": To("optimizer.max_grad_norm"),
    "tenc_weight_decay": Left("both parts have one, optimizer.weight_decay"),
    "tenc_grad_clip_norm": Left("gradients are clipped together, optimizer.max_grad_norm"),
    "adaptation_beta1": Left("optimizers with D-Adaptation are not here"),
    "adaptation_beta2": Left("optimizers with D-Adaptation are not here"),
    "adaptation_d0": Left("optimizers with D-Adaptation are not here"),
    "adaptation_eps": Left("optimizers with D-Adaptation are not here"),
    "lr_scheduler": To("scheduler.type", _schedule),
    "lr_warmup_steps": To("scheduler.warmup_steps"),
    "lr_cycles": To("scheduler.cycles"),
    "lr_power": To("scheduler.power"),
    "lr_factor": _SECOND,
    "lr_scale_pos": _SECOND,
    "learning_rate_min": Left("the schedules here fall to zero"),
    "prior_loss_weight": To("prior.weight"),
    "prior_loss_scale": _SHRINKS,
    "prior_loss_target": _SHRINKS,
    "prior_loss_weight_min": _SHRINKS,
    "with_prior_preservation": Left("the number of class pictures says it"),
    "split_loss": Left("the loss of class pictures is weighted picture by picture, by prior.weight"),
    "offset_noise": To("loss.noise_offset"),
    "use_ema": Sets({"ema.enable": True}),
    "ema_predict": _AVERAGE,
    "infer_ema": _AVERAGE,
    "save_ema": _AVERAGE,
    "has_ema": _AVERAGE,
    "noise_scheduler": Left("training adds noise by the model's own schedule", unless=("ddpm",)),
    "deis_train_scheduler": Left("training adds noise by the model's own schedule"),
    "train_imagic": Left("Imagic, which learns one picture, is not here"),
    "seed": To("train.seed", off=("", "-1")),
    "deterministic": Left("train.seed decides everything that is random"),
    # memory
    "mixed_precision": To("memory.mixed_precision"),
    "gradient_checkpointing": Sets({"memory.gradient_checkpointing": True}),
    "attention": To("memory.attention", _attention),
    "gradient_set_to_none": reasons.KERNELS,
    "tf32_enable": reasons.KERNELS,
    "tomesd": Left("tokens are not merged in training"),
    "use_cpu": reasons.ONE_DEVICE,
    # what comes out
    "save_embedding_every": To("save.every_n_epochs", every("save.every_n_steps", "save.every_n_epochs")),
    "save_preview_every": To("sample.every_n_epochs", _PREVIEWS, belongs="it needs prompts"),
    "save_use_epochs": Left("it says what the intervals of saves and previews count"),
    "save_use_global_counts": _ITS_COUNT,
    "half_model": Sets({"save.precision": "fp16"}),
    "save_safetensors": Sets({"save.format": "safetensors"}),
    "save_ckpt_during": _FILES,
    "save_ckpt_after": _FILES,
    "save_ckpt_cancel": _STOPPED,
    "save_lora_during": _FILES,
    "save_lora_after": _FILES,
    "save_lora_cancel": _STOPPED,
    "save_lora_for_extra_net": Left("a LoRA has sd-scripts' names, which web UIs read"),
    "save_state_during": reasons.STATE,
    "save_state_after": reasons.STATE,
    "save_state_cancel": reasons.STATE,
    "snapshot": reasons.RESUME,
    "use_subdir": _FOLDERS,
    "scheduler": reasons.SAMPLER,
    "sanity_prompt": _SANITY,
    "sanity_seed": _SANITY,
    "epoch": _ITS_COUNT,
    "revision": _ITS_COUNT,
    "initial_revision": _ITS_COUNT,
    "lifetime_revision": _ITS_COUNT,
    "total_steps": _ITS_COUNT,
    "epoch_pause_frequency": _PAUSE,
    "epoch_pause_time": _PAUSE,
    "graph_smoothing": _PAGE,
    "disable_logging": _PAGE,
}

EXTENSION = Peer(
    name=NAME,
    scripts=(NAME,),
    options=_GENERAL,
    aliases={
        "adamw_weight_decay": "weight_decay",
        "adam_weight_decay": "weight_decay",
    },
    defaults={"dataset.bucket.enable": True},
    yields=("train.epochs", "train.max_steps"),
    remark=(
        "prior.num_class_images",
        "a step there trains each picture together with a class picture, here they are mixed: twice the steps or"
        " twice train.batch_size, train as much",
    ),
)
