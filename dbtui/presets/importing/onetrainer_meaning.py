"""What OneTrainer's settings come to beside each other: units, scaled rates, defaults, what has no effect.

Facts of its code: `TrainConfig.py` (defaults), `util/create.py` (schedules, warm-up), `NamedParameterGroup.py`
(scaled rates), `EMAModule.py`, `BaseStableDiffusionSetup.py` (layer presets).
"""

from collections.abc import Mapping
from typing import Any

from dbtui.presets.importing.peers.onetrainer_names import MASKS, OF_LORA, OTHER_NETWORKS, REWARD
from dbtui.presets.importing.peers.onetrainer_words import FROZEN

_UNITS = {
    "text_encoder.stop_training_after": "EPOCH",
    "sample_after": "MINUTE",
    "backup_after": "MINUTE",
    "save_every": "NEVER",
}
"""The unit of a number that the file names without one."""
_COUNTED = {
    "BATCH": (1, 0),
    "GLOBAL_BATCH": (1, 0),
    "GRADIENT_ACCUMULATION": (0, 1),
    "BOTH": (1, 1),
    "GLOBAL_BOTH": (1, 1),
}
_LOSSES = {"mse_strength": 1.0, "mae_strength": 0.0, "log_cosh_strength": 0.0, "huber_strength": 0.0}
_RATES = ("learning_rate", "unet.learning_rate", "text_encoder.learning_rate")
_FROZEN = "the weights beside a LoRA's are held in the precision of the forward pass, memory.mixed_precision"
_SIXTEEN_OR_MORE = ("FLOAT_32", "TFLOAT_32", "FLOAT_16", "BFLOAT_16")
_OF_FROZEN = ("unet.weight_dtype", "text_encoder.weight_dtype", "weight_dtype")
_DEFAULT_RATE, _DEFAULT_WARMUP, _DEFAULT_DECAY, _DEFAULT_INTERVAL = 3e-6, 200.0, 0.999, 5.0
_DEFAULTS: dict[str, dict[str, Any]] = {
    "epochs": {"train.epochs": 100},
    "optimizer.optimizer": {"optimizer.type": "adamw"},
    "train_dtype": {"memory.mixed_precision": "fp16"},
    "aspect_ratio_bucketing": {"dataset.bucket.enable": True},
    "image_caching": {"dataset.cache_latents": "disk"},
    "output_model_format": {"save.format": "safetensors"},
    "output_dtype": {"save.precision": "float"},
    "backup_after": {"save.state_every_minutes": 30.0},
    "lora_alpha": {"network.alpha": 1.0},
}
"""Settings whose default there is another one than here, by the option that would say it."""


class Meaning:
    """What follows from all settings together.

    Attributes:
        changed: values to be read in place of those that are written.
        ignored: settings without effect there, with the reason.
        defaults: settings that the file leaves to OneTrainer, where that means something else here.
        notes: what was worked into the numbers.
    """

    def __init__(self, said: Mapping[str, str]) -> None:
        self._said = said
        self.changed: dict[str, str] = {}
        self.ignored: dict[str, str] = {}
        self.notes: list[str] = []
        self._accumulation = max(1.0, self._number("gradient_accumulation_steps", 1.0))
        self.defaults: dict[str, Any] = {"method.captions": "finetune"}
        for option, settings in _DEFAULTS.items():
            if option not in said:
                self.defaults |= settings
        self._units()
        self._rates()
        self._schedule()
        self._average()
        self._loss()
        self._model()
        self._switched_off()

    def _word(self, name: str, default: str = "") -> str:
        """Return what a setting says, in capitals; `default` where it says nothing."""
        word = self._said.get(name, "").strip().upper()
        return default if word in ("", "NULL") else word

    def _number(self, name: str, default: float) -> float:
        try:
            return float(self._word(name) or default)
        except ValueError:
            return default

    def _is_on(self, name: str) -> bool:
        return self._word(name) in ("TRUE", "1")

    def _units(self) -> None:
        """Put each number and its unit together; steps are batches there, and several of them one step here."""
        for name, default in _UNITS.items():
            if not self._word(name):
                continue
            unit = self._word(f"{name}_unit", default)
            number = self._said[name]
            if unit == "STEP" and self._accumulation > 1:
                number = f"{self._number(name, 0) / self._accumulation:g}"
                self._note_steps()
            self.changed[name] = f"{number} {unit}"
        stop = "text_encoder.stop_training_after"
        if stop not in self._said and self._word(f"{stop}_unit", "EPOCH") == "EPOCH":
            self.defaults["text_encoder.stop_at_epoch"] = 30

    def _note_steps(self) -> None:
        note = "a step there is a batch: with gradient accumulation several are one step, and are counted so here"
        if note not in self.notes:
            self.notes.append(note)

    def _rates(self) -> None:
        batch, accumulation = _COUNTED.get(self._word("learning_rate_scaler"), (0, 0))
        scale = self._number("batch_size", 1.0) ** batch * self._accumulation**accumulation
        factor = scale**0.5 if scale > 0 else 1.0
        if "learning_rate" not in self._said:
            self.defaults["optimizer.learning_rate"] = float(f"{_DEFAULT_RATE * factor:.6g}")
        if factor == 1.0:
            return
        for name in _RATES:
            if (rate := self._number(name, 0.0)) > 0:
                self.changed[name] = f"{rate * factor:.6g}"

    def _schedule(self) -> None:
        """A constant rate may be warmed up there; here that is a schedule of its own."""
        warmup = self._number("learning_rate_warmup_steps", _DEFAULT_WARMUP)
        if warmup > 1 and self._accumulation > 1:
            warmup /= self._accumulation
            self.changed["learning_rate_warmup_steps"] = f"{warmup:g}"
            self._note_steps()
        if "learning_rate_warmup_steps" not in self._said:
            self.defaults["scheduler.warmup_steps"] = int(warmup)
        if warmup <= 0 or self._word("learning_rate_scheduler", "CONSTANT") != "CONSTANT":
            return
        if "learning_rate_scheduler" in self._said:
            self.changed["learning_rate_scheduler"] = "CONSTANT_WITH_WARMUP"
        else:
            self.defaults["scheduler.type"] = "constant_with_warmup"

    def _average(self) -> None:
        """The average moves every few steps there and at each here: the decay's root makes it as slow."""
        names = ("ema_decay", "ema_update_step_interval", "non_ema_sampling")
        if self._word("ema", "OFF") == "OFF":
            self.ignored |= dict.fromkeys(names, "it has no effect there without ema")
            return
        decay = self._number("ema_decay", _DEFAULT_DECAY)
        interval = max(1.0, self._number("ema_update_step_interval", _DEFAULT_INTERVAL))
        if not 0 < decay < 1:
            return
        each = round(decay ** (1 / interval), 8)
        if "ema_decay" in self._said:
            self.changed["ema_decay"] = repr(each)
        else:
            self.defaults["ema.decay"] = each

    def _loss(self) -> None:
        strengths = {name: self._number(name, default) for name, default in _LOSSES.items()}
        positive = [name for name, strength in strengths.items() if strength > 0]
        for name in positive:
            self.changed[name] = "alone" if len(positive) == 1 else "beside others"
        weight = self._word("loss_weight_fn", "CONSTANT")
        if weight != "MIN_SNR_GAMMA":
            self.ignored["loss_weight_strength"] = "it has no effect there without loss_weight_fn = MIN_SNR_GAMMA"
        elif "loss_weight_strength" not in self._said:
            self.defaults["loss.min_snr_gamma"] = 5.0

    def _model(self) -> None:
        """What depends on the kind of model, and on whether a LoRA is trained."""
        if self._word("optimizer.is_paged") == "TRUE" and self._word("optimizer.optimizer") == "ADAMW_8BIT":
            self.changed["optimizer.optimizer"] = "PAGED_ADAMW_8BIT"
        if (skipped := self._number("text_encoder_layer_skip", 0.0)) > 0:
            last = (
                1 if "_15" in self._word("model_type", "_15") else 2
            )  # SD 2.x leaves its last layer out by itself
            self.changed["text_encoder_layer_skip"] = f"{skipped + last:g}"
        if self._word("clip_grad_norm", "none" if "clip_grad_norm" in self._said else "1") == "none":
            self.changed["clip_grad_norm"] = "0"
        if self._word("training_method") == "LORA":
            self._frozen()
            self._layers()
        else:
            of_lora = f"{OF_LORA} {OTHER_NETWORKS}".split()
            self.ignored |= dict.fromkeys(of_lora, "these are no settings of a LoRA")
            self.defaults.pop("network.alpha", None)
            if self._word("unet.weight_dtype", "NONE") != "NONE":
                self.ignored["weight_dtype"] = "unet.weight_dtype counts instead"
        if "unet.gradient_checkpointing" not in self._said and "gradient_checkpointing" not in self._said:
            self.defaults["memory.gradient_checkpointing"] = True

    def _frozen(self) -> None:
        """Weights beside a LoRA have 16 bits at least where nothing else is said; those of the U-Net count."""
        self.ignored |= dict.fromkeys(_OF_FROZEN, _FROZEN)
        name = "weight_dtype" if self._word("unet.weight_dtype", "NONE") == "NONE" else "unet.weight_dtype"
        kind = self._word(name, "FLOAT_32")
        if kind not in _SIXTEEN_OR_MORE:
            del self.ignored[name]
            self.changed[name] = f"{kind} {FROZEN}"

    def _layers(self) -> None:
        """Layers "full" are convolutions too; "attn-mlp" is where a LoRA sits here anyway."""
        preset = self._word("layer_filter_preset")
        if preset == "FULL" and not self._word("layer_filter"):
            rank, alpha = self._number("lora_rank", 16.0), self._number("lora_alpha", 1.0)
            self.changed["layer_filter_preset"] = f"{rank:g} {alpha:g}"
        elif preset == "ATTN-MLP":
            self.changed["layer_filter_preset"] = ""
            self.ignored["layer_filter"] = "layer_filter_preset says the same"

    def _switched_off(self) -> None:
        groups = {
            "masked_training": [
                name for name in MASKS.split() if name not in ("masked_training", "random_rotate_and_crop")
            ],
            "validation": ["validate_after", "validate_after_unit"],
            "align_prop": REWARD.split()[1:],
        }
        for switch, names in groups.items():
            if not self._is_on(switch):
                self.ignored |= dict.fromkeys(names, f"it has no effect there without {switch}")
        if self._number("noising_weight", 0.0) == 0:
            self.ignored["noising_bias"] = "it has no effect there without noising_weight"
