"""bmaltais/kohya_ss: the settings that its pages save as JSON. Most are named after options of sd-scripts."""

from typing import Any

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.launcher import ACCELERATE
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.peers.words import own_rate
from dbtui.presets.importing.rules import Left, Peer, Rule, Sets, To, chosen, number, whole

FULL_NAME, LORA_NAME = "kohya_ss settings", "kohya_ss settings of a LoRA"

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
_OTHER_KINDS = "sdxl_cache_text_encoder_outputs sdxl_no_half_vae sdxl flux1_checkbox sd3_checkbox LoRA_type"


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
}

FULL = Peer(
    name=FULL_NAME,
    scripts=(FULL_NAME,),
    options={**ACCELERATE.options, **TRAIN_DB.options, **_OWN},
    aliases={old: new for old, new in TRAIN_DB.aliases.items() if old not in _OWN},
    defaults=TRAIN_DB.defaults,
)
LORA = Peer(
    name=LORA_NAME,
    scripts=(LORA_NAME,),
    options={**ACCELERATE.options, **TRAIN_NETWORK.options, **_OWN, **_LORA},
    aliases=FULL.aliases,
    defaults=TRAIN_NETWORK.defaults,
    instead=TRAIN_NETWORK.instead,
)
