"""Files that look like models from outside: a header and a few small tensors, written without torch."""

import json
import struct
from pathlib import Path

CROSS = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"
CONV_OUT = "model.diffusion_model.out.2.weight"
VAE = "first_stage_model.decoder.conv_out.bias"
SD1_TEXT = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
SD2_TEXT = "cond_stage_model.model.ln_final.bias"


def write_model(
    path: Path,
    family: str = "sd1",
    *,
    metadata: dict[str, str] | None = None,
    extra: tuple[str, ...] = (),
    without: str = "",
) -> Path:
    """Write a .safetensors file that tells what a model tells; `without` leaves out what begins so."""
    shapes = {CROSS: [2, 768 if family == "sd1" else 1024], CONV_IN: [2, 4, 3, 3], CONV_OUT: [4, 2, 3, 3]}
    shapes |= {name: [2] for name in (SD1_TEXT if family == "sd1" else SD2_TEXT, VAE, *extra)}
    return _write(
        path,
        {name: shape for name, shape in shapes.items() if not without or not name.startswith(without)},
        metadata,
    )


def write_lora(path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write what looks like a LoRA."""
    return _write(path, {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": [2, 2]}, metadata)


def _write(path: Path, shapes: dict[str, list[int]], metadata: dict[str, str] | None) -> Path:
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    position = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(position))
    return path
