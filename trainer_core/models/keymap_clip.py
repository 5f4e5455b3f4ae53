"""Names of the text encoder's tensors: the single file's two kinds, and Hugging Face's with `text_model.`.

Stable Diffusion 1.x holds Hugging Face's CLIPTextModel as it is; 2.x holds OpenCLIP's text tower, whose query, key
and value projections are one tensor.
"""

CLIP_PREFIX = "cond_stage_model.transformer."
OPEN_CLIP_PREFIX = "cond_stage_model.model."
TEXT_MODEL = "text_model."
TOKEN_EMBEDDING = TEXT_MODEL + "embeddings.token_embedding.weight"

LAYER_PARTS = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
OPEN_CLIP_TOP = {
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": TOKEN_EMBEDDING,
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
PROJECTIONS = ("q_proj", "k_proj", "v_proj")  # the order in which OpenCLIP stacks them


def with_text_model(name: str) -> str:
    """Return a Hugging Face name with its `text_model.` level, which old and very new files lack."""
    bare = name
    while bare.startswith((TEXT_MODEL, "encoder.text_model.")):  # WD 1.4 doubles the level
        bare = bare.removeprefix("encoder.").removeprefix(TEXT_MODEL)
    return TEXT_MODEL + bare


def is_position_ids(name: str) -> bool:
    """Return whether this is the counter 0, 1, 2, ... that some files store; it is never needed."""
    return name.endswith("position_ids")


def clip_to_diffusers(name: str) -> str | None:
    """Return the Hugging Face name of an SD 1.x file's `name`; None if it is not a text encoder's."""
    if not name.startswith(CLIP_PREFIX) or is_position_ids(name):
        return None
    return with_text_model(name.removeprefix(CLIP_PREFIX))


def open_clip_to_diffusers(name: str) -> list[str]:
    """Return the Hugging Face names of an SD 2.x file's `name`: three for a fused projection, none if unknown."""
    if not name.startswith(OPEN_CLIP_PREFIX):
        return []
    name = name.removeprefix(OPEN_CLIP_PREFIX)
    if name in OPEN_CLIP_TOP:
        return [OPEN_CLIP_TOP[name]]
    blocks, _, rest = name.partition("transformer.resblocks.")
    number, _, part = rest.partition(".")
    if blocks or not number.isascii() or not number.isdecimal():
        return []
    layer = f"text_model.encoder.layers.{int(number)}."
    if part in {"attn.in_proj_weight", "attn.in_proj_bias"}:
        leaf = part.rpartition("_")[2]
        return [f"{layer}self_attn.{projection}.{leaf}" for projection in PROJECTIONS]
    owner, _, leaf = part.rpartition(".")
    new = "self_attn.out_proj" if owner == "attn.out_proj" else LAYER_PARTS.get(owner)
    return [f"{layer}{new}.{leaf}"] if new and leaf in {"weight", "bias"} else []


def diffusers_to_open_clip(name: str) -> tuple[str, int | None]:
    """Return the SD 2.x file's name of a Hugging Face `name`, and which third of that tensor it is, if one."""
    for old, new in OPEN_CLIP_TOP.items():
        if name == new:
            return OPEN_CLIP_PREFIX + old, None
    number, _, part = name.removeprefix("text_model.encoder.layers.").partition(".")
    block = f"{OPEN_CLIP_PREFIX}transformer.resblocks.{number}."
    owner, _, leaf = part.rpartition(".")
    for third, projection in enumerate(PROJECTIONS):
        if owner == f"self_attn.{projection}":
            return f"{block}attn.in_proj_{leaf}", third
    if owner == "self_attn.out_proj":
        return f"{block}attn.out_proj.{leaf}", None
    old_part = next(old for old, new in LAYER_PARTS.items() if new == owner)
    return f"{block}{old_part}.{leaf}", None
