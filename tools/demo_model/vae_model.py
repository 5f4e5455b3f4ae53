"""The demo model's VAE: its shape, its loss, and the scale of its latents."""

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from trainer_core.models.configs import read_configs
from trainer_core.models.family import family_named

WIDTHS = (32, 32, 64, 64)
LAST_IN_BRANCH = ("conv2.weight", "proj_out.weight", "to_out.0.weight")
KL_WEIGHT = 1e-3
"""Of the divergence, in nats a pixel value; so small that it only keeps latents from growing without bound."""


def build_vae(seed: int) -> AutoencoderKL:
    """Return a VAE with random weights: SD 1.x's, with small widths."""
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_config({**read_configs("sd1")["vae"], "block_out_channels": list(WIDTHS)})
    begin_with_nothing(vae)
    with torch.no_grad():
        channels = vae.config.latent_channels
        vae.quant_conv.weight[channels:] = 0  # the second half is the logarithm of the variance:
        vae.quant_conv.bias[channels:] = -6  # what is encoded comes first, its noise later
    return vae


@torch.no_grad()
def begin_with_nothing(module: nn.Module) -> None:
    """Let every residual branch begin at zero, which bears a high learning rate (Dhariwal & Nichol 2021)."""
    for name, parameter in module.named_parameters():
        if name.endswith(LAST_IN_BRANCH):
            parameter.zero_()


def vae_loss(vae: AutoencoderKL, pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return reconstruction error (L1 and L2) plus some divergence from N(0, 1) (Kingma & Welling 2013)."""
    posterior = vae.encode(pictures).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator)
    decoded = vae.decode(posterior.mean + posterior.std * noise).sample
    divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).sum() / pictures.numel()
    wrong = decoded.float() - pictures
    return wrong.abs().mean() + wrong.square().mean() + KL_WEIGHT * divergence


@torch.no_grad()
def scale_latents(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Shift and scale each latent channel to mean 0 and the spread 1 / 0.18215 that SD 1.x multiplies by.

    Encoder and decoder are changed by opposite amounts, so pictures come out as before.
    """
    means = vae.encode(pictures).latent_dist.mean
    shift = means.mean(dim=(0, 2, 3))
    scale = means.std(dim=(0, 2, 3)) * family_named("sd1").latent_scale
    channels = len(shift)
    out, back = vae.quant_conv, vae.post_quant_conv
    _rescale_rows(out, slice(0, channels), 1 / scale, -shift / scale)
    out.bias[channels:] -= 2 * scale.log()  # the second half is the logarithm of the variance
    back.bias += (back.weight[:, :, 0, 0] * shift).sum(dim=1)
    back.weight *= scale[None, :, None, None]


def _rescale_rows(layer: nn.Conv2d, rows: slice, factor: Tensor, offset: Tensor) -> None:
    layer.weight[rows] *= factor[:, None, None, None]
    layer.bias[rows] = layer.bias[rows] * factor + offset
