"""Widths and depths of a model, read off its tensors' shapes, so that any size of the architecture loads."""

from collections.abc import Mapping

from trainer_core.models.configs import Config
from trainer_core.models.family import Family

Shapes = Mapping[str, tuple[int, ...]]  # by Diffusers name
LEVELS = 4
LAYERS = "text_model.encoder.layers."


def unet_config(bundled: Config, shapes: Shapes, family: Family) -> Config:
    """Return the U-Net's configuration for these tensors (names as in Diffusers)."""
    channels = [shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(LEVELS)]
    cross = shapes["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"][1]
    return {
        **bundled,
        "block_out_channels": channels,
        "cross_attention_dim": cross,
        "attention_head_dim": family.unet_heads(channels),
        "use_linear_projection": len(shapes["down_blocks.0.attentions.0.proj_in.weight"]) == 2,
        "in_channels": shapes["conv_in.weight"][1],
        "out_channels": shapes["conv_out.weight"][0],
    }


def vae_config(bundled: Config, shapes: Shapes) -> Config:
    """Return the VAE's configuration for these tensors."""
    channels = [shapes[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(LEVELS)]
    return {
        **bundled,
        "block_out_channels": channels,
        "latent_channels": shapes["post_quant_conv.weight"][0],
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
    }


def text_encoder_config(bundled: Config, shapes: Shapes) -> Config:
    """Return the text encoder's configuration for these tensors (names with `text_model.`)."""
    vocabulary, width = shapes["text_model.embeddings.token_embedding.weight"]
    layers = {name.removeprefix(LAYERS).partition(".")[0] for name in shapes if name.startswith(LAYERS)}
    return {
        **bundled,
        "hidden_size": width,
        "num_attention_heads": max(1, width // 64),
        "num_hidden_layers": len(layers),
        "intermediate_size": shapes["text_model.encoder.layers.0.mlp.fc1.weight"][0],
        "max_position_embeddings": shapes["text_model.embeddings.position_embedding.weight"][0],
        "vocab_size": vocabulary,
    }
