import pytest
import torch
import torch.nn.functional as F

from trainer_core.models.tiny import build_tiny


@pytest.mark.parametrize("kind", ["sd1", "sd2-v"])
def test_latents_of_pictures_have_a_sane_spread(tiny_models, kind):
    """Of soft pictures that the calibration did not see."""
    model = tiny_models[kind]
    coarse = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(99)) * 2 - 1
    with torch.no_grad():
        latents = model.vae.encode(F.interpolate(coarse, size=(96, 64), mode="bilinear")).latent_dist
    assert latents.mean.shape == (4, 4, 12, 8)
    scaled = latents.mean * model.family.latent_scale
    assert 0.6 < scaled.std() < 1.6
    assert scaled.mean().abs() < 0.5
    assert latents.std.max() * model.family.latent_scale < 0.1


def test_the_same_seed_gives_the_same_model(tiny_models, same_weights):
    assert same_weights(build_tiny(), tiny_models["sd1"])
    assert not same_weights(build_tiny(seed=1), tiny_models["sd1"])


@pytest.mark.parametrize("kind", ["sd1", "sd2-base", "sd2-v"])
def test_a_training_step_has_a_finite_loss_and_reaches_every_weight(kind):
    model = build_tiny(kind[:3], "v" if kind == "sd2-v" else "epsilon")
    ids = torch.tensor(model.family.tokenize(["shs dog"]))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    predicted = model.unet(noise, torch.tensor([500]), model.family.encode(model.text_encoder, ids)).sample
    loss = F.mse_loss(predicted, torch.roll(noise, 1))
    loss.backward()
    assert 0.1 < loss.item() < 10
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.unet.parameters())
    trained = [name for name, p in model.text_encoder.named_parameters() if p.grad is not None and p.grad.any()]
    assert len(trained) > 30


def test_the_architecture_is_the_real_one(tiny_models):
    unet = tiny_models["sd1"].unet
    assert [len(block.resnets) for block in unet.down_blocks] == [2, 2, 2, 2]
    assert sum(p.numel() for p in unet.parameters()) < 5_000_000
    assert unet.down_blocks[0].attentions[0].proj_in.weight.dim() == 4
    assert tiny_models["sd2-v"].unet.down_blocks[0].attentions[0].proj_in.weight.dim() == 2
