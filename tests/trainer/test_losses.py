"""Losses, weights and noise: each against a reference written from its formula, in two real training steps."""

import math
import random

import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image

from trainer_core.config.schema import Loss, Model, Prompt
from trainer_core.data.order import derive_seed
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.load import load_model
from trainer_core.models.save import save_model
from trainer_core.train.loss_weights import huber_thresholds, timestep_weights
from trainer_core.train.noise import perturbed, shaped
from trainer_core.train.objective import NoiseSchedule, Objective, sample_losses
from trainer_core.train.preview import _scheduler, draw
from trainer_core.train.zero_terminal import scheduler_config_for

SIDE, STEPS, RATE = 128, 2, 2e-4
CPU = torch.device("cpu")
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def alpha_bars(zero_terminal=False):
    """Return alpha_bar of every timestep, in float64, as the papers write it."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    root = (1 - betas).cumprod(0).sqrt()
    if zero_terminal:
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root.square()


def pseudo_huber(d, c):
    return 2 * c * ((d**2 + c**2) ** 0.5 - c)


def huber_by_snr(d, abar):
    c = 0.1 + 0.9 / (1 + math.sqrt((1 - abar) / abar)) ** 2
    return pseudo_huber(d, c)


def smooth_l1_exponential(d, t):
    c = 0.2 ** (t / 1000)
    return 2 * ((d**2 + c**2) ** 0.5 - c)


# name: (prediction, [loss], zero terminal, loss of the differences d, weight of a sample by SNR)
SQUARED = lambda d, t, abar: d**2  # noqa: E731
EVEN = lambda snr: 1.0  # noqa: E731
VARIANTS = {
    "min-snr": ("epsilon", {"min_snr_gamma": 2.0}, False, SQUARED, lambda snr: min(snr, 2) / snr),
    "min-snr v": ("v", {"min_snr_gamma": 2.0}, False, SQUARED, lambda snr: min(snr, 2) / (snr + 1)),
    "v zero terminal": (
        "v",
        {"zero_terminal_snr": True, "min_snr_gamma": 5.0, "scale_v_like_noise": True, "min_timestep": 900},
        True,
        SQUARED,
        lambda snr: min(snr, 5) / (snr + 1) * snr / (snr + 1),
    ),
    "debiased": (
        "epsilon",
        {"debiased_estimation": True, "type": "l1"},
        False,
        lambda d, t, abar: abs(d),
        lambda snr: min(snr, 1000) ** -0.5,
    ),
    "huber": ("epsilon", {"type": "huber"}, False, lambda d, t, abar: huber_by_snr(d, abar), EVEN),
    "smooth l1": (
        "epsilon",
        {"type": "smooth_l1", "huber_c": 0.2, "huber_schedule": "exponential"},
        False,
        lambda d, t, abar: smooth_l1_exponential(d, t),
        EVEN,
    ),
    "offset": ("epsilon", {"noise_offset": 0.3, "adaptive_noise_scale": 0.2}, False, SQUARED, EVEN),
    "pyramid": (
        "epsilon",
        {"multires_noise_iterations": 4, "multires_noise_discount": 0.4, "ip_noise_gamma": 0.2},
        False,
        SQUARED,
        EVEN,
    ),
}


def reference_noise(noise, latents, loss, generator):
    """Return what is predicted and what is seen, from the formulas."""
    if "noise_offset" in loss:
        strength = (0.3 + 0.2 * latents.mean((2, 3), keepdim=True).abs()).clamp(min=0)
        noise = noise + strength * torch.randn(len(noise), 4, 1, 1, generator=generator)
    if "multires_noise_iterations" in loss:
        chance, side = random.Random(generator.initial_seed()), noise.shape[-1]
        for level in range(4):
            small = max(1, int(side / (2 + 2 * chance.random()) ** level))
            coarse = torch.randn(len(noise), 4, small, small, generator=generator)
            noise = noise + 0.4**level * torch.nn.Upsample(size=(side, side), mode="bilinear")(coarse)
            if small == 1:
                break
        noise = torch.stack([one / one.std() for one in noise])
    if "ip_noise_gamma" in loss:
        return noise, noise + 0.2 * torch.randn(noise.shape, generator=generator)
    return noise, noise


def reference_losses(job, prediction, loss, zero_terminal, of_differences, weight_of):
    """Train the U-Net alone, sample by sample."""
    model = load_model(job.config.model)
    unet, text_encoder, vae = model.unet.train(), model.text_encoder.eval(), model.vae
    optimizer = torch.optim.AdamW(unet.parameters(), lr=RATE, weight_decay=0.01, foreach=False)
    abars, losses, items = alpha_bars(zero_terminal), [], job.samples.items
    for step in range(STEPS):
        (batch,) = job.samples.order.step(step)
        generator = torch.Generator().manual_seed(derive_seed(job.config.train.seed, "noise", step, 0))
        posterior, noise = (torch.randn(2, 4, 16, 16, generator=generator) for _ in range(2))
        timesteps = torch.randint(loss.get("min_timestep", 0), 1000, (2,), generator=generator)
        paths = [items[item].picture.path for item in batch.items]
        with torch.no_grad():
            distributions = [vae.encode(pixels_of(path)).latent_dist for path in paths]
            ids = torch.tensor(model.family.tokenize([items[item].picture.caption for item in batch.items]))
            hidden = text_encoder(ids)[0]
        latents = 0.18215 * torch.cat(
            [found.mean + found.std * posterior[i] for i, found in enumerate(distributions)]
        )
        noise, seen = reference_noise(noise, latents, loss, generator)
        step_loss = 0.0
        for i, t in enumerate(timesteps.tolist()):
            a, b = abars[t].sqrt().item(), (1 - abars[t]).sqrt().item()
            predicted = unet((a * latents + b * seen)[i : i + 1], t, hidden[i : i + 1]).sample[0]
            target = noise[i] if prediction == "epsilon" else a * noise[i] - b * latents[i]
            snr = a**2 / b**2
            one = of_differences(predicted - target, t, a**2).mean() * weight_of(snr) / 2
            one.backward()
            step_loss += one.item()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(step_loss)
    return losses


def pixels_of(path):
    with Image.open(path) as image:
        values = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return values.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.mark.parametrize("name", VARIANTS)
def test_a_real_step_has_the_loss_of_the_formula(name, make_job, run_job):
    prediction, loss, zero_terminal, of_differences, weight_of = VARIANTS[name]
    job = make_job(
        family="sd2" if prediction == "v" else "sd1",
        prediction=prediction,
        reg=False,
        side=SIDE,
        text_encoder={"train": False},
        optimizer={"type": "adamw", "learning_rate": RATE},
        train={"max_steps": STEPS, "batch_size": 2, "workers": 1},
        loss=loss,
    )
    expected = reference_losses(job, prediction, loss, zero_terminal, of_differences, weight_of)
    ours = [report.loss for report in run_job(job)]
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 1e-5
    assert ours[0] != ours[1]


def test_weights_of_each_timestep():
    snr = alpha_bars().div(1 - alpha_bars()).float()
    v_only = {"scale_v_like_noise": True, "min_snr_gamma": 5.0}
    assert timestep_weights(Loss(), "v", snr) is None
    both = timestep_weights(Loss(min_snr_gamma=5.0, debiased_estimation=True), "epsilon", snr)
    v = timestep_weights(Loss(**v_only, debiased_estimation=True), "v", snr)
    for t in (0, 1, 100, 500, 999):
        r = snr[t].item()
        assert both[t].item() == pytest.approx(min(r, 5) / r / math.sqrt(min(r, 1000)), rel=1e-5)
        assert v[t].item() == pytest.approx(min(r, 5) / (r + 1) * r / (r + 1) / (r + 1), rel=1e-5)
    no_signal = torch.tensor([1.0, 0.0])
    for prediction, expected in (("epsilon", 1.0), ("v", 0.0)):
        weights = timestep_weights(Loss(min_snr_gamma=5.0), prediction, no_signal)
        assert weights[1].item() == expected
        assert timestep_weights(Loss(debiased_estimation=True), prediction, no_signal).isfinite().all()


@pytest.mark.parametrize("schedule", ["constant", "exponential", "snr"])
def test_the_threshold_of_huber_falls_from_one_to_c(schedule):
    abars = alpha_bars(zero_terminal=True)
    c = huber_thresholds(Loss(type="huber", huber_c=0.1, huber_schedule=schedule), (abars / (1 - abars)).float())
    sigma = ((1 - abars) / abars).sqrt()
    expected = {
        "constant": torch.full((1000,), 0.1, dtype=torch.float64),
        "exponential": 0.1 ** (torch.arange(1000, dtype=torch.float64) / 1000),
        "snr": 0.9 / (1 + sigma) ** 2 + 0.1,
    }[schedule]
    torch.testing.assert_close(c.double(), expected, rtol=1e-4, atol=1e-6)


def test_robust_losses_are_squares_near_zero_and_lines_far_away():
    near, far, c = torch.full((1, 4, 8, 8), 1e-3), torch.full((1, 4, 8, 8), 50.0), torch.tensor([0.5])
    nothing = torch.zeros(1, 4, 8, 8)
    assert sample_losses(near, nothing, "huber", c).item() == pytest.approx(1e-6, rel=0.1)
    assert sample_losses(far, nothing, "huber", c).item() == pytest.approx(2 * 0.5 * 49.5, rel=1e-3)
    assert sample_losses(far, nothing, "smooth_l1", c).item() == pytest.approx(2 * 49.5, rel=1e-3)


def test_noise_is_what_it_was_where_nothing_is_added():
    noise, generator = torch.randn(2, 4, 8, 8), torch.Generator().manual_seed(1)
    before = generator.get_state()
    assert shaped(noise, noise, Loss(), generator) is noise
    assert perturbed(noise, Loss(), generator) is noise
    assert torch.equal(generator.get_state(), before)


def test_random_strengths_lie_between_nothing_and_all():
    latents, zeros = torch.randn(4000, 4, 1, 1), torch.zeros(4000, 4, 1, 1)
    for random_strength, expected in ((False, 0.5), (True, 0.5 / math.sqrt(3))):
        generator = torch.Generator().manual_seed(1)
        offset = Loss(noise_offset=0.5, noise_offset_random_strength=random_strength)
        assert shaped(zeros, latents, offset, generator).std().item() == pytest.approx(expected, rel=0.05)
        ip = Loss(ip_noise_gamma=0.5, ip_noise_gamma_random_strength=random_strength)
        assert perturbed(zeros, ip, generator).std().item() == pytest.approx(expected, rel=0.05)


def test_pyramid_noise_is_coarse_and_of_deviation_one():
    def neighbours(noise):
        return (noise[..., 1:] * noise[..., :-1]).mean().item()

    plain, generator = torch.randn(64, 4, 32, 32), torch.Generator().manual_seed(3)
    loss = Loss(multires_noise_iterations=8, multires_noise_discount=0.8)
    noise = shaped(plain, plain, loss, generator)
    torch.testing.assert_close(noise.std(dim=(1, 2, 3)), torch.ones(64))
    assert abs(neighbours(plain)) < 0.02
    assert neighbours(noise) > 0.2


def test_timesteps_stay_within_their_bounds_and_are_those_of_always_without():
    config = {"_class_name": "DDIMScheduler", **BETAS}
    bounded = Objective.of(Loss(min_timestep=300, max_timestep=310), "epsilon", config, CPU)
    drawn = bounded.draw_timesteps(500, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == set(range(300, 310))
    with pytest.raises(UserError, match="this model has 200 timesteps"):
        Objective.of(Loss(min_timestep=200), "epsilon", {**config, "num_train_timesteps": 200}, CPU)
    free = Objective.of(Loss(), "epsilon", config, CPU)
    ours, theirs = (torch.Generator().manual_seed(0) for _ in range(2))
    assert torch.equal(free.draw_timesteps(500, ours), torch.randint(1000, (500,), generator=theirs))


def test_a_schedule_with_zero_terminal_snr_is_that_of_the_paper():
    ours = NoiseSchedule.of({"_class_name": "DDIMScheduler", **BETAS, "rescale_betas_zero_snr": True}, CPU)
    abars = alpha_bars(zero_terminal=True)
    torch.testing.assert_close(ours.signal.square().double(), abars, rtol=0, atol=1e-6)
    assert ours.signal[-1] == 0
    assert ours.noise[-1] == 1
    assert ours.snr[-1] == 0


@pytest.mark.parametrize(("is_on", "timesteps"), [(True, [999, 749, 499, 249]), (False, [999, 749, 500, 250])])
def test_previews_follow_the_schedule_that_is_trained(is_on, timesteps, make_job):
    job = make_job("sd2", "v", reg=False, loss={"zero_terminal_snr": is_on})
    seen = []
    job.model.unet.register_forward_pre_hook(lambda module, arguments: seen.append(int(arguments[1])))
    prompt = Prompt(prompt="frog", steps=4)
    draw(job.model, prompt, (64, 64), CPU, clip_skip=None, autocast=job.precision.autocast(CPU))
    assert seen == timesteps
    sampler = _scheduler(job.model.scheduler_config, "v")
    assert (sampler.alphas_cumprod[-1] < 1e-6) == is_on


def test_zero_terminal_snr_is_saved_with_a_folder(make_job, tmp_path):
    job = make_job("sd2", "v", reg=False, loss={"zero_terminal_snr": True})
    save_model(job.model, tmp_path / "frog", format="diffusers")
    scheduler = DDIMScheduler.from_pretrained(tmp_path / "frog", subfolder="scheduler")
    assert scheduler.alphas_cumprod[-1] < 1e-7
    scheduler.set_timesteps(4)
    assert scheduler.timesteps[0] == 999
    again = NoiseSchedule.of(load_model(Model(base=str(tmp_path / "frog"))).scheduler_config, CPU)
    assert again.signal[-1] == 0


def test_a_sampler_that_cannot_rescale_is_replaced():
    config = {**BETAS, "_class_name": "PNDMScheduler"}
    assert scheduler_config_for(Loss(zero_terminal_snr=True), "v", config)["_class_name"] == "DDIMScheduler"
    assert scheduler_config_for(Loss(), "v", config) is config


@pytest.mark.parametrize("name", ["zero_terminal_snr", "scale_v_like_noise"])
def test_what_needs_v_is_refused_by_the_plan_and_the_trainer(name, make_job):
    with pytest.raises(UserError, match=rf"loss\.{name} needs a model that predicts v.*epsilon") as caught:
        make_job(loss={name: True})
    assert caught.value.code is ExitCode.CONFIG
    with pytest.raises(UserError, match=rf"loss\.{name}"):  # of a Hub id the plan knows nothing
        scheduler_config_for(Loss.model_validate({name: True}), "epsilon", {})
