"""Rules between the settings of optimizer, schedule, loss and averaging."""

from collections.abc import Callable, Iterator

from trainer_core.config.schema import Config

POLYNOMIAL_END = 1e-7
"""Learning rate, absolute, at which the polynomial schedule ends (the value used by transformers)."""
ONLY_FLOAT32 = ("prodigy", "adamw_schedulefree")
"""Optimizers whose libraries round 16-bit weights to nearest, which loses most of a small step."""

ALL_AT_ONCE = {
    "prodigy": "finds its step size from the gradients of all weights",
    "adamw_schedulefree": "averages all weights with numbers that they share",
}
"""Optimizers that cannot update a weight inside the backward pass, and why."""


def goes_back_twice(config: Config) -> bool:
    """Tell whether `memory.fused_backward` needs to know all gradients before the first weight changes."""
    is_measured = config.optimizer.max_grad_norm > 0 or config.memory.mixed_precision == "fp16"
    return config.memory.fused_backward and is_measured


def _sixteen_bits(config: Config) -> Iterator[str]:
    kind = config.optimizer.type
    for name in ("full_fp16", "full_bf16"):
        if getattr(config.memory, name) and kind in ONLY_FLOAT32:
            yield (
                f'optimizer.type = "{kind}" needs float32 weights, and memory.{name} makes them 16 bits wide;'
                ' remove it, or set optimizer.type to "adamw8bit" or "lion8bit"'
            )


def _fused_backward(config: Config) -> Iterator[str]:
    passes = config.train.gradient_accumulation
    if config.memory.fused_backward and passes > 1:
        yield (
            "memory.fused_backward drops each gradient in the pass that makes it, and"
            f" train.gradient_accumulation = {passes} adds them up over {passes} passes; remove one of them"
        )
    if config.memory.fused_backward and config.optimizer.type in ALL_AT_ONCE:
        yield (
            f'memory.fused_backward updates one weight at a time, and optimizer.type = "{config.optimizer.type}"'
            f' {ALL_AT_ONCE[config.optimizer.type]}; remove one of them, or set optimizer.type = "adamw8bit"'
        )


def _schedule_free(config: Config) -> Iterator[str]:
    if config.optimizer.type != "adamw_schedulefree":
        return
    if config.scheduler.type not in {"constant", "constant_with_warmup"}:
        yield (
            f'optimizer.type = "adamw_schedulefree" takes the place of a schedule, and scheduler.type is'
            f' "{config.scheduler.type}"; set that to "constant" or "constant_with_warmup"'
        )
    if config.optimizer.betas[0] == 0:
        yield (
            'optimizer.betas begins with 0, and optimizer.type = "adamw_schedulefree" averages with that number;'
            " set it to 0.9, say"
        )
    if config.ema.enable:
        yield (
            'ema.enable = true averages the weights, which optimizer.type = "adamw_schedulefree" does itself;'
            " remove one of them"
        )
    if config.network.scale_weight_norms is not None:
        yield (
            "network.scale_weight_norms limits the weights that are trained, and optimizer.type ="
            ' "adamw_schedulefree" saves others; remove one of them'
        )


def _one_rate(config: Config) -> Iterator[str]:
    own = config.text_encoder.learning_rate
    if config.optimizer.type == "prodigy" and own is not None and own != config.optimizer.learning_rate:
        yield (
            'text_encoder.learning_rate differs from optimizer.learning_rate, and optimizer.type = "prodigy"'
            f" finds one rate for all weights; set text_encoder.learning_rate = {config.optimizer.learning_rate:g}"
            " too, or remove it"
        )


def _polynomial(config: Config) -> Iterator[str]:
    """The schedule ends at a fixed rate, so a smaller one would rise to it."""
    if config.scheduler.type != "polynomial":
        return
    named = {
        "optimizer.learning_rate": config.optimizer.learning_rate,
        "text_encoder.learning_rate": config.text_encoder.learning_rate,
    }
    for name, rate in named.items():
        if rate is not None and rate <= POLYNOMIAL_END:
            yield (
                f'{name} is {rate:g}, and scheduler.type = "polynomial" falls to {POLYNOMIAL_END:g}; raise it, or'
                ' set scheduler.type = "linear"'
            )


def _timesteps(config: Config) -> Iterator[str]:
    low, high = config.loss.min_timestep, config.loss.max_timestep
    if low >= high:
        yield f"loss.min_timestep is {low} and max_timestep is {high}; the first must be below the second"


LEARNING_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (("optimizer.type", "memory.full_fp16", "memory.full_bf16"), _sixteen_bits),
    (("optimizer.type", "memory.fused_backward", "train.gradient_accumulation"), _fused_backward),
    (
        ("optimizer.type", "optimizer.betas", "scheduler.type", "ema.enable", "network.scale_weight_norms"),
        _schedule_free,
    ),
    (("optimizer.type", "optimizer.learning_rate", "text_encoder.learning_rate"), _one_rate),
    (("scheduler.type", "optimizer.learning_rate", "text_encoder.learning_rate"), _polynomial),
    (("loss.min_timestep", "loss.max_timestep"), _timesteps),
)
