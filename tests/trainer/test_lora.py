"""LoRA training: the losses of an independent loop, exact resumes, what each setting does."""

import shutil

import pytest
import torch
from PIL import Image
from torch.func import functional_call

from trainer_core.data.order import derive_seed
from trainer_core.models.load import load_model
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.result import save_result
from trainer_core.train.resume import checkpoint_of, restore

STEPS = 6
SIDE = 128
LORA = {"train": "lora"}
TABLES = {
    "method": LORA,
    "network": {"rank": 4, "alpha": 2.0, "conv_rank": 2, "conv_alpha": 4.0},
    "train": {"max_steps": STEPS, "batch_size": 2, "seed": 7, "workers": 1},
    "optimizer": {"type": "adamw", "learning_rate": 5e-3, "weight_decay": 0.02, "max_grad_norm": 0.5},
}


def reference_losses(job):
    """Every weight beside an adapter is replaced, in each step, by W + alpha / rank * up down."""
    items, model = job.samples.items, load_model(job.config.model)
    parts = {"unet": model.unet.requires_grad_(False), "text_encoder": model.text_encoder.requires_grad_(False)}
    pairs = {part: {} for part in parts}
    for adapter in job.adapters.adapters:
        scale = 4.0 / 2 if adapter.down.shape[2:] == (3, 3) else 2.0 / 4
        down, up = (matrix.detach().clone().requires_grad_() for matrix in (adapter.down, adapter.up))
        pairs[adapter.place.part][own_name(parts[adapter.place.part], adapter.place.path)] = (down, up, scale)
    matrices = [matrix for part in pairs.values() for down, up, _ in part.values() for matrix in (down, up)]
    optimizer = torch.optim.AdamW(matrices, lr=5e-3, weight_decay=0.02)
    alpha_bar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    losses = []
    for step in range(STEPS):
        (micro,) = job.samples.order.step(step)
        generator = torch.Generator().manual_seed(derive_seed(7, "noise", step, 0))
        count = len(micro.items)
        posterior = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
        noise = torch.randn(count, 4, SIDE // 8, SIDE // 8, generator=generator)
        t = torch.randint(1000, (count,), generator=generator)
        pixels = torch.cat([pixels_of(items[item].picture.path) for item in micro.items])
        with torch.no_grad():
            distribution = model.vae.encode(pixels).latent_dist
        latents = (distribution.mean + distribution.std * posterior) * 0.18215
        signal = alpha_bar[t].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        ids = torch.tensor(model.family.tokenize([items[item].picture.caption for item in micro.items]))
        hidden = functional_call(parts["text_encoder"], changed(parts, pairs, "text_encoder"), (ids,))[0]
        predicted = functional_call(parts["unet"], changed(parts, pairs, "unet"), (noisy, t, hidden)).sample
        loss = torch.nn.functional.mse_loss(predicted, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(matrices, 0.5)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def changed(parts, pairs, part):
    weights = {}
    for name, (down, up, scale) in pairs[part].items():
        weight = parts[part].get_submodule(name).weight
        weights[f"{name}.weight"] = weight + scale * (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    return weights


def own_name(module, path):
    """The path with or without `text_model.`, as this version of transformers has it."""
    return path if path in dict(module.named_modules()) else path.removeprefix("text_model.")


def pixels_of(path):
    with Image.open(path) as image:
        values = torch.tensor(list(image.convert("RGB").tobytes()), dtype=torch.float32)
    return values.view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 127.5 - 1


def test_losses_equal_an_independent_reference(make_job, run_job):
    job = make_job(side=SIDE, reg=True, **TABLES)
    expected = reference_losses(job)
    ours = [report.loss for report in run_job(job)]
    assert max(abs(a - b) for a, b in zip(ours, expected, strict=True)) < 1e-5
    assert abs(ours[-1] - ours[0]) > 1e-3


SHORT = {
    "method": LORA,
    "train": {"max_steps": 4, "workers": 1},
    "optimizer": {"type": "adamw", "learning_rate": 1e-2},
}
ALL_DROPOUTS = {"dropout": 0.2, "rank_dropout": 0.2, "module_dropout": 0.2}
RESUMED = {
    "dropout-norms": {"network": {"rank": 4, "scale_weight_norms": 0.1, **ALL_DROPOUTS}},
    "full_bf16": {
        "memory": {"mixed_precision": "bf16", "full_bf16": True},
        "network": {"rank": 2, "conv_rank": 1},
    },
    "loraplus": {"network": {"rank": 2, "loraplus_lr_ratio": 4.0}, "text_encoder": {"train": False}},
}


@pytest.mark.parametrize("name", ["dropout-norms", "loraplus", pytest.param("full_bf16", marks=pytest.mark.slow)])
def test_a_resumed_training_is_bit_for_bit_the_uninterrupted_one(name, make_job, run_job, tmp_path):
    tables = {**SHORT, **RESUMED[name]}
    whole = make_job(**tables)
    expected = [report.loss for report in run_job(whole)]
    part = make_job(**tables)
    seen = [report.loss for report in run_job(part, 2)]
    save_checkpoint(tmp_path, checkpoint_of(part))
    resumed = make_job(**tables)
    assert restore(resumed, newest_valid(tmp_path)[0]) == []
    seen += [report.loss for report in run_job(resumed)]
    assert seen == expected
    assert all(torch.equal(value, resumed.parameters[key]) for key, value in whole.parameters.items())


def test_the_base_stays_as_it_is_and_a_checkpoint_holds_the_adapters_alone(make_job, run_job):
    job = make_job(**SHORT, memory={"mixed_precision": "bf16"})
    before = {name: tensor.clone() for name, tensor in job.model.unet.state_dict().items()}
    run_job(job, 2)
    after = job.model.unet.state_dict()
    assert list(after) == list(load_model(job.config.model).unet.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    for module in (job.model.unet, job.model.text_encoder):
        assert {(p.dtype, p.requires_grad, p.grad) for p in module.parameters()} == {(torch.bfloat16, False, None)}
    assert {parameter.dtype for parameter in job.parameters.values()} == {torch.float32}
    held = checkpoint_of(job).weights
    assert len(held) == 2 * (192 + 12)
    assert all(name.startswith(("lora_unet_", "lora_te_")) for name in held)
    still = {name for name, tensor in held.items() if not tensor.abs().sum()}  # up matrices that learned nothing
    alone = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_"  # one position sees itself only
    assert still <= {f"{alone}{projection}.lora_up.weight" for projection in "qk"}


def test_checkpointing_changes_nothing_even_with_dropout(make_job, run_job):
    """The pass that is computed again leaves out the same."""
    runs = []
    for checkpointing in (False, True):
        network = {"rank": 4, "conv_rank": 2, **ALL_DROPOUTS}
        job = make_job(**SHORT, network=network, memory={"gradient_checkpointing": checkpointing}, side=128)
        runs.append([report.loss for report in run_job(job, 3)])
    assert runs[0] == pytest.approx(runs[1], abs=1e-6)


def test_learning_rates_of_the_parts_and_of_the_up_matrices(make_job):
    job = make_job(
        method=LORA,
        network={"loraplus_lr_ratio": 8.0},
        optimizer={"learning_rate": 1e-3},
        text_encoder={"learning_rate": 5e-4},
    )
    rates = [(group.component, group.learning_rate) for group in job.groups]
    assert rates == [("unet", 1e-3), ("unet", 8e-3), ("text_encoder", 5e-4), ("text_encoder", 4e-3)]
    assert [len(group.parameters) for group in job.groups] == [192, 192, 12, 12]
    assert all(name.endswith("lora_up.weight") for name in job.groups[1].parameters)


def test_the_text_encoder_can_be_left_out_or_stop(make_job, run_job):
    without = make_job(**SHORT, text_encoder={"train": False})
    assert {group.component for group in without.groups} == {"unet"}
    assert without.adapters.of("text_encoder") == []
    job = make_job(**SHORT, text_encoder={"stop_at_step": 2})
    run_job(job, 2)
    learned = [adapter.up.clone() for adapter in job.adapters.of("text_encoder")]
    run_job(job, 2)
    assert all(torch.equal(a, b.up) for a, b in zip(learned, job.adapters.of("text_encoder"), strict=True))


def test_norms_stay_below_their_limit(make_job, run_job):
    job = make_job(**SHORT, network={"scale_weight_norms": 0.05})
    run_job(job)
    norms = [adapter.change().norm().item() for adapter in job.adapters.adapters]
    assert max(norms) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.parametrize("captions", ["dreambooth", "finetune", "hybrid"])
def test_every_method_trains_and_saves_sd2_too(captions, train, pictures, make_job, run_job, tmp_path):
    method = {"captions": captions, "train": train}
    train_dir = shutil.copytree(pictures / "train", tmp_path / "train")
    for number, picture in enumerate(sorted(train_dir.rglob("*.png"))):
        picture.with_suffix(".txt").write_text(f"a frog, {number} spots")
    tables = {**SHORT, "method": method, "dataset": {"train_dir": str(train_dir)}}
    job = make_job("sd2", "v", reg=captions != "finetune", **tables)
    first = job.samples.items[0].picture.caption
    assert ("sls" in first) == (captions == "hybrid")
    losses = [report.loss for report in run_job(job, 2)]
    assert all(0 < loss < 10 for loss in losses)
    saved = save_result(job, tmp_path / "frog")
    assert saved.paths[0].name == "frog.safetensors"
    size = saved.paths[0].stat().st_size
    assert (size < 2**21) == (train == "lora")
