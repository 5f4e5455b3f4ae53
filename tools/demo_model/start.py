"""Writes the model that the demo model's U-Net and text encoder are trained from: random weights, a trained VAE.

python tools/demo_model/start.py FOLDER     # reads FOLDER/vae.safetensors, writes FOLDER/start.safetensors
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from vae_model import begin_with_nothing, build_vae

from trainer_core.models.configs import read_configs
from trainer_core.models.family import COMPONENTS, family_named
from trainer_core.models.model import StableDiffusion
from trainer_core.models.modules import tensors_of
from trainer_core.models.save import save_model
from trainer_core.models.sniff import ModelInfo
from trainer_core.models.tiny import random_module

SEED = 8
UNET_WIDTHS = (64, 32, 96, 96)
"""As in SD 1.x the last two are equal and the others are not, or LoRA's names would not fit. The deepest map of a
64-pixel picture is 1 x 1: three channels in each of the 32 norm groups there, where two would leave nothing of a
value but its sign. The narrow words and the narrow second map pay for it: the whole stays below 16 MB."""
TEXT_WIDTH, TEXT_LAYERS, TEXT_INNER = 16, 2, 64
SPREADS = {"token_embedding": 0.5, "position_embedding": 0.1}


def main() -> None:
    """Build and save."""
    folder = Path(sys.argv[1])
    saved = save_model(build(folder / "vae.safetensors"), folder / "start", format="safetensors", metadata={})
    print(f"{saved.paths[0]}: {saved.bytes / 1e6:.1f} MB")


def build(vae_file: Path) -> StableDiffusion:
    """Return the untrained model in float32, the same for the same VAE."""
    generator, configs, family = torch.Generator().manual_seed(SEED), read_configs("sd1"), family_named("sd1")
    width = {"hidden_size": TEXT_WIDTH, "projection_dim": TEXT_WIDTH, "num_attention_heads": 1}
    depth = {"num_hidden_layers": TEXT_LAYERS, "intermediate_size": TEXT_INNER}
    text_encoder = random_module("text_encoder", {**configs["text_encoder"], **width, **depth}, generator)
    widths = {"block_out_channels": list(UNET_WIDTHS), "cross_attention_dim": TEXT_WIDTH}
    unet = random_module("unet", {**configs["unet"], **widths}, generator)
    _spread_embeddings(text_encoder, generator)
    begin_with_nothing(unet)
    vae = build_vae(SEED)
    vae.load_state_dict(load_file(vae_file))
    return StableDiffusion(
        info=ModelInfo(
            base="start",
            path=Path("start.safetensors"),
            format="safetensors",
            family="sd1",
            prediction="epsilon",
            prediction_from="its builder",
        ),
        family=family,
        prediction="epsilon",
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        scheduler_config=configs["scheduler"],
        dtypes=dict.fromkeys(COMPONENTS, torch.float32),
    )


@torch.no_grad()
def _spread_embeddings(text_encoder: nn.Module, generator: torch.Generator) -> None:
    """Make words as different as layers are strong; CLIP's 0.02 is for hundreds of millions of texts."""
    for name, tensor in tensors_of("text_encoder", text_encoder).items():
        for part, spread in SPREADS.items():
            if part in name:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * spread)


if __name__ == "__main__":
    main()
