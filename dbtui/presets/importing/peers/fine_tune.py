"""kohya-ss/sd-scripts: fine_tune.py, which trains with captions alone, for SD 1.x and 2.x."""

from dbtui.presets.importing.peers import reasons
from dbtui.presets.importing.peers.sd_scripts import COMMON, TRAIN_DB
from dbtui.presets.importing.peers.words import own_rate
from dbtui.presets.importing.rules import Left, Peer, Sets, To

_OTHERS = (
    "reg_data_dir prior_loss_weight conditioning_data_dir masked_loss no_metadata training_comment fp8_base_unet"
)
_NETWORK_ONLY = (
    "cpu_offload_checkpointing initial_epoch initial_step skip_until_initial_step validation_seed validation_split"
    " validate_every_n_steps validate_every_n_epochs max_validation_steps"
)
_NOTHING = Left("fine_tune.py takes it and does nothing with it")

FINE_TUNE = Peer(
    name="fine_tune.py",
    scripts=("fine_tune.py",),
    options={
        **{name: rule for name, rule in COMMON.items() if name not in f"{_OTHERS} {_NETWORK_ONLY}".split()},
        "train_data_dir": To("concept.instance_dir", belongs=reasons.PLACE),
        "dataset_repeats": To("concept.repeats", off=("", "1"), belongs=reasons.WORDS),
        "in_json": Left("captions stand in files beside the pictures here: write those of the JSON there"),
        "train_text_encoder": Sets({"text_encoder.train": True}),
        "learning_rate_te": To("text_encoder.learning_rate", own_rate, off=("",)),
        "full_bf16": _NOTHING,
        "fp8_base": _NOTHING,
    },
    aliases=TRAIN_DB.aliases,
    defaults={**TRAIN_DB.defaults, "method.captions": "finetune", "text_encoder.train": False},
)
