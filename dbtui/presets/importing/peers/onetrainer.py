"""Nerogar/OneTrainer: the settings that it saves as JSON, of all versions (TrainConfig 0 to 12).

Names with a dot stand in a table: `unet.train` is `train` in `unet`.
"""

from dbtui.presets.importing.peers import onetrainer_names as names
from dbtui.presets.importing.peers import onetrainer_words as words
from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.onetrainer_entries import CONCEPTS, SAMPLES
from dbtui.presets.importing.peers.words import own_rate
from dbtui.presets.importing.rules import Left, Peer, Rule, Sets, To, is_on, whole

NAME = "OneTrainer settings"

_UNIT = Left("it is read together with the number that it is the unit of", unless=("never",))
_FOLDER = Left("a run has a folder of its own, and caches are shared by runs")
_RENTED = Left(
    "a rented machine is none of a run's settings: dbtui runs there, and `dbtui attach` watches it", is_secret=True
)
_EMBEDDING = Left("embeddings are not trained here")
_NETWORK = Left("it is for networks other than LoRA and LoCon")
_TIMESTEPS = Left("timesteps are drawn evenly here")
_WHOLE_RUN = Left("the U-Net learns to the end of the run here", unless=("never", "0"))
_ARGUMENT = Left("there is no setting for this argument of optimizers")
_ONE_PRECISION = Left("memory.full_fp16 and full_bf16 speak of all trained weights, as unet.weight_dtype does")
_PICTURE_FILE = Left("previews are PNG files here, with their prompt in them")
_OVERWRITES = Left("each run has a folder of its own, and nothing is overwritten")
_OF_VAE = "train learning_rate stop_training_after stop_training_after_unit dropout_probability"
_SCALED = "it is worked into the rates: times the square root of what it counts"
_AVERAGED = "it is worked into ema.decay: here the average moves at each step"
_HUBER = "it is for a loss that is not here; loss.huber_c says where those that are turn linear"
_LOSS_SCALER = "a step's gradient is the mean over all its pictures; optimizer.scale_lr changes the rate"
_BY_STEPS = words.every("sample.every_n_steps", "sample.every_n_epochs")
_CHECKPOINTING = "memory.gradient_checkpointing"


def _caches(text: str) -> str:
    return "disk" if is_on(text) else "off"


def _trains(text: str) -> dict[str, bool]:
    return {} if is_on(text) else {"text_encoder.train": False}


_GENERAL: dict[str, Rule] = {
    "__version": Left("the version of the file's format; older ones are understood"),
    "training_method": To("method.train", words.method),
    "model_type": To("model.family", words.family),
    # what belongs to one machine or one subject
    "base_model_name": To("model.base", off=("",), belongs=reasons.PLACE),
    "vae.model_name": To("model.vae", off=("",), belongs=reasons.PLACE),
    "output_model_destination": To("save.output_dir", words.place, off=("",), belongs=reasons.PLACE),
    "lora_model_name": To("network.init_from", off=("",), belongs=reasons.PLACE),
    "concepts": CONCEPTS,
    "samples": SAMPLES,
    "concept_file_name": Left("give that file too: dbtui preset import FILE --concepts concepts.json"),
    "sample_definition_file_name": Left("give that file too: dbtui preset import FILE --samples samples.json"),
    "workspace_dir": _FOLDER,
    "cache_dir": _FOLDER,
    "debug_dir": _FOLDER,
    # pictures
    "resolution": To("dataset.resolution", words.size),
    "aspect_ratio_bucketing": Sets({"dataset.bucket.enable": True}),
    "image_caching": To("dataset.cache_latents", _caches),
    "text_caching": reasons.ITSELF,
    "clear_cache_before_training": Left("what is cached is found by its content, so nothing stale is ever read"),
    "caching_threads": To("train.workers", off=("", "0")),
    # learning
    "epochs": To("train.epochs"),
    "batch_size": To("train.batch_size"),
    "gradient_accumulation_steps": To("train.gradient_accumulation"),
    "learning_rate": To("optimizer.learning_rate"),
    "learning_rate_scheduler": To("scheduler.type", words.scheduler),
    "learning_rate_warmup_steps": To("scheduler.warmup_steps", words.warmup),
    "learning_rate_cycles": To("scheduler.cycles", whole),
    "learning_rate_min_factor": Left("the schedules here fall to zero"),
    "learning_rate_scaler": Left(_SCALED, unless=("none",)),
    "custom_learning_rate_scheduler": Left(reasons.CODE),
    "scheduler_params": Left(reasons.CODE),
    "clip_grad_norm": To("optimizer.max_grad_norm"),
    "optimizer.optimizer": To("optimizer.type", words.optimizer),
    "optimizer.is_paged": Left("it is part of the name in optimizer.type"),
    "optimizer.beta1": To("optimizer.betas", lambda text: {"optimizer.betas.0": float(text)}),
    "optimizer.beta2": To("optimizer.betas", lambda text: {"optimizer.betas.1": float(text)}),
    "optimizer.eps": To("optimizer.eps"),
    "optimizer.weight_decay": To("optimizer.weight_decay"),
    "optimizer.stochastic_rounding": Left("it is done by itself here", unless=("true",)),
    "optimizer.fused": reasons.KERNELS,
    "optimizer.fused_back_pass": reasons.KERNELS,
    "optimizer_defaults": Left("they are for optimizers that are not chosen"),
    **{f"optimizer.{name}": _ARGUMENT for name in names.OF_OPTIMIZERS.split()},
    "ema": To("ema.enable", words.is_average, off=("off",)),
    "ema_decay": To("ema.decay"),
    "ema_update_step_interval": Left(_AVERAGED, unless=("1",)),
    "non_ema_sampling": Left("previews show what would be saved: the average, where one is kept"),
    # parts of the model
    "unet.train": Left("the U-Net always learns here", unless=("true",)),
    "unet.learning_rate": To("optimizer.learning_rate"),
    "unet.stop_training_after": _WHOLE_RUN,
    "unet.stop_training_after_unit": _WHOLE_RUN,
    "train_unet_epochs": _WHOLE_RUN,
    "unet.weight_dtype": To("memory.full_fp16", words.weights, off=("NONE",)),
    "weight_dtype": To("memory.full_fp16", words.weights, off=("NONE",)),
    "unet.gradient_checkpointing": To(_CHECKPOINTING, words.activations),
    "gradient_checkpointing": To(_CHECKPOINTING, words.activations),
    "text_encoder.train": To("text_encoder.train", _trains),
    "text_encoder.learning_rate": To("text_encoder.learning_rate", own_rate),
    "text_encoder.stop_training_after": To(
        "text_encoder.stop_at_epoch", words.every("text_encoder.stop_at_step", "text_encoder.stop_at_epoch")
    ),
    "text_encoder.stop_training_after_unit": _UNIT,
    "text_encoder.dropout_probability": To("dataset.caption_dropout_rate", off=("0", "0.0")),
    "text_encoder.weight_dtype": _ONE_PRECISION,
    "text_encoder.gradient_checkpointing": Left(f"{_CHECKPOINTING} is for both, as unet.gradient_checkpointing"),
    "text_encoder_layer_skip": To("model.clip_skip", whole, off=("0",)),
    "vae.weight_dtype": Left("the VAE encodes in float32 anyway"),
    **{
        f"{part}.{name}": reasons.OTHER_MODEL
        for part in ("unet", "text_encoder", "vae")
        for name in ("include", "attention_mask", "guidance_scale")
    },
    "unet.model_name": Left("the whole model is model.base"),
    "unet.dropout_probability": Left("captions are dropped for both by text_encoder.dropout_probability"),
    "text_encoder.model_name": Left("the whole model is model.base"),
    **{
        f"vae.{name}": Left("the VAE is not trained here")
        for name in _OF_VAE.split()
    },
    # LoRA
    "peft_type": Left("the kind that is known here is LoRA", unless=("lora",)),
    "lora_rank": To("network.rank"),
    "lora_alpha": To("network.alpha"),
    "dropout_probability": To("network.dropout", off=("0", "0.0")),
    "lora_weight_dtype": To("memory.full_fp16", words.weights, off=("NONE",)),
    "layer_filter_preset": To("network.conv_rank", words.adapters),
    "layer_filter": To("network.conv_rank", words.layers, off=("", "attentions")),
    "layer_filter_regex": Left("layers are not chosen one by one here"),
    # loss
    "mse_strength": To("loss.type", words.strength("l2"), off=("0", "0.0")),
    "mae_strength": To("loss.type", words.strength("l1"), off=("0", "0.0")),
    "log_cosh_strength": To("loss.type", words.strength('the nearest is loss.type = "huber"'), off=("0", "0.0")),
    "huber_strength": To("loss.type", words.strength('the nearest is loss.type = "huber"'), off=("0", "0.0")),
    "huber_delta": Left(_HUBER),
    "loss_weight_fn": To("loss.debiased_estimation", words.loss_weight),
    "loss_weight_strength": To("loss.min_snr_gamma"),
    "min_snr_gamma": To("loss.min_snr_gamma", off=("0", "0.0")),
    "loss_scaler": Left(_LOSS_SCALER, unless=("none",)),
    "offset_noise_weight": To("loss.noise_offset"),
    "generalized_offset_noise": Left("the offset's strength is the same at every timestep here"),
    "perturbation_noise_weight": Left(
        "it changes what is predicted, too; loss.ip_noise_gamma perturbs only what the U-Net sees"
    ),
    "rescale_noise_scheduler_to_zero_terminal_snr": Sets({"loss.zero_terminal_snr": True}),
    "force_v_prediction": Sets({"model.prediction": "v"}),
    "force_epsilon_prediction": Sets({"model.prediction": "epsilon"}),
    "min_noising_strength": To("loss.min_timestep", words.share_of_noise),
    "max_noising_strength": To("loss.max_timestep", words.share_of_noise),
    "timestep_distribution": Left("timesteps are drawn evenly here", unless=("uniform",)),
    "noising_weight": _TIMESTEPS,
    "noising_bias": _TIMESTEPS,
    # memory
    "train_dtype": To("memory.mixed_precision", words.precision),
    "attention_mechanism": To("memory.attention", words.attention),
    # what comes out
    "output_model_format": To("save.format", words.file_format),
    "output_dtype": To("save.precision", words.saved),
    "save_every": To("save.every_n_epochs", words.every("save.every_n_steps", "save.every_n_epochs")),
    "save_every_unit": _UNIT,
    "save_skip_first": Left("models are saved from the first interval on"),
    "save_filename_prefix": Left("models saved on the way are named by save.output_name and their step"),
    "sample_after": To("sample.every_n_epochs", _BY_STEPS, belongs="it needs prompts"),
    "sample_after_unit": _UNIT,
    "sample_skip_first": Left("previews are drawn from the first interval on"),
    "sample_image_format": _PICTURE_FILE,
    "samples_to_tensorboard": Left("previews are in every TensorBoard log"),
    "backup_after": To("save.state_every_minutes", words.minutes),
    "backup_after_unit": _UNIT,
    "backup_before_save": reasons.STATE,
    "rolling_backup": reasons.STATE,
    "rolling_backup_count": reasons.STATE,
    "continue_last_backup": reasons.RESUME,
    "prevent_overwrites": _OVERWRITES,
    "tensorboard": Sets({"log.tensorboard": True}),
    "tensorboard_expose": Left("a log is shown by TensorBoard itself"),
    "tensorboard_always_on": Left("a log is shown by TensorBoard itself"),
    "tensorboard_port": Left("a log is shown by TensorBoard itself"),
    "include_train_config": reasons.METADATA,
    "validation": reasons.VALIDATION,
    "validate_after": reasons.VALIDATION,
    "validate_after_unit": reasons.VALIDATION,
    "debug_mode": reasons.PICTURES,
    "only_cache": reasons.PICTURES,
    "force_circular_padding": Left("pictures that repeat without a seam are not trained for here"),
    "quantization": Left("with memory.base_dtype all layers are in 8 bits but the first, the last and the time's"),
    "cloud": _RENTED,
    "secrets": reasons.SECRET,
}  # fmt: skip


def _rates(said: set[str]) -> dict[str, Rule]:
    """Where the U-Net has a rate of its own, the general one is the text encoder's, unless that has one too."""
    if "unet.learning_rate" not in said:
        return {}
    if "text_encoder.learning_rate" in said:
        return {"learning_rate": Left("unet.learning_rate and text_encoder.learning_rate count instead, as there")}
    return {"learning_rate": To("text_encoder.learning_rate", own_rate)}


ONETRAINER = Peer(
    name=NAME,
    scripts=(NAME,),
    options={
        **dict.fromkeys(names.OTHER_PARTS.split(), reasons.OTHER_MODEL),
        **dict.fromkeys(names.OTHER_MODELS.split(), reasons.OTHER_MODEL),
        **dict.fromkeys(names.DEVICES.split(), reasons.ONE_DEVICE),
        **dict.fromkeys(names.KERNELS.split(), reasons.KERNELS),
        **dict.fromkeys(names.MASKS.split(), reasons.MASKS),
        **dict.fromkeys(names.EMBEDDINGS.split(), _EMBEDDING),
        **dict.fromkeys(names.REWARD.split(), Left("nothing is trained by a reward here")),
        **dict.fromkeys(names.OTHER_NETWORKS.split(), _NETWORK),
        **_GENERAL,
    },
    aliases=names.RENAMED,
    defaults={},
    instead=_rates,
)
