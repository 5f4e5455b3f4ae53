"""Previews: pictures drawn from prompts with the weights as they are, without touching the training's state."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from trainer_core.config.schema import Prompt
from trainer_core.data.dataset import Size
from trainer_core.models.quiet import quiet_imports
from trainer_core.run.atomic import staged
from trainer_core.run.stop_signals import StopRequestedError, never


def draw(
    model: Any,
    prompt: Prompt,
    size: Size,
    device: torch.device,
    *,
    clip_skip: int | None,
    autocast: torch.autocast,
    should_stop: Callable[[], bool] = never,
) -> Image.Image:
    """Draw one picture; see `draw_together`."""
    options: dict[str, Any] = {"clip_skip": clip_skip, "autocast": autocast, "should_stop": should_stop}
    return draw_together(model, [prompt], size, device, **options)[0]


def draw_together(
    model: Any,
    prompts: Sequence[Prompt],
    size: Size,
    device: torch.device,
    *,
    clip_skip: int | None,
    autocast: torch.autocast,
    should_stop: Callable[[], bool] = never,
) -> list[Image.Image]:
    """Draw a picture of each prompt; see `draw_pixels`."""
    options: dict[str, Any] = {"clip_skip": clip_skip, "autocast": autocast, "should_stop": should_stop}
    return [_picture(pixels) for pixels in draw_pixels(model, prompts, size, device, **options)]


@torch.no_grad()
def draw_pixels(
    model: Any,
    prompts: Sequence[Prompt],
    size: Size,
    device: torch.device,
    *,
    clip_skip: int | None,
    autocast: torch.autocast,
    should_stop: Callable[[], bool] = never,
    sampler_of: Callable[[dict[str, Any], str], Any] | None = None,
) -> list[Tensor]:
    """Draw each prompt with DPM-Solver++ (Lu et al. 2022) and classifier-free guidance: [3, H, W] from -1 to 1.

    The modules must be on `device`, and size, steps and scale the first prompt's for all. The noise of each comes
    from a generator of its own on the CPU, so that a seed gives the same picture on every machine and in every
    batch, and the training's randomness is not touched. `sampler_of` makes another sampler, of a scheduler
    configuration and a prediction type.

    Raises:
        StopRequestedError: `should_stop`, asked before each denoising step, says so.
    """
    first, count = prompts[0], len(prompts)
    width, height = first.width or size[0], first.height or size[1]
    scheduler = (sampler_of or _scheduler)(model.scheduler_config, model.prediction)
    scheduler.set_timesteps(first.steps)
    shape = (model.family.latent_channels, height // 8, width // 8)
    noise = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(each.seed)) for each in prompts]
    latents = torch.stack(noise).to(device) * scheduler.init_noise_sigma
    texts = [*(each.negative_prompt for each in prompts), *(each.prompt for each in prompts)]
    ids = torch.tensor(model.family.tokenize(texts), device=device)
    weights = next(model.unet.parameters()).dtype
    with autocast:
        hidden = model.family.encode(model.text_encoder, ids, clip_skip)
        for timestep in scheduler.timesteps:
            if should_stop():
                raise StopRequestedError
            both = scheduler.scale_model_input(torch.cat([latents, latents]), timestep).to(weights)
            predicted = model.unet(both, timestep.to(device), hidden, return_dict=False)[0].float()
            unguided, guided = predicted.split(count)
            predicted = unguided + first.guidance_scale * (guided - unguided)
            latents = scheduler.step(predicted, timestep, latents, return_dict=False)[0]
    scaled = (latents.float() / model.family.latent_scale).split(1)  # one by one: the VAE needs the most memory
    return [model.vae.decode(each, return_dict=False)[0][0] for each in scaled]


def save_picture(
    picture: Image.Image, path: Path, prompt: Prompt, step: int | None, *, model: str | None = None
) -> None:
    """Write a PNG with its prompt and settings in the metadata, in the form that web UIs read.

    `step` is the training's where it was drawn on the way, `model` the name of what drew it.
    """
    lines = [prompt.prompt]
    if prompt.negative_prompt:
        lines.append(f"Negative prompt: {prompt.negative_prompt}")
    lines.append(
        f"Steps: {prompt.steps}, Sampler: DPM++ 2M, CFG scale: {prompt.guidance_scale:g}, Seed: {prompt.seed}, "
        f"Size: {picture.width}x{picture.height}"
        + ("" if model is None else f", Model: {model}")
        + ("" if step is None else f", Training step: {step}")
    )
    metadata = PngInfo()
    metadata.add_text("parameters", "\n".join(lines))
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged(path) as staging:
        picture.save(staging, format="PNG", pnginfo=metadata)


def _scheduler(config: dict[str, Any], prediction: str) -> Any:
    quiet_imports()
    from diffusers import DPMSolverMultistepScheduler

    kind = "v_prediction" if prediction == "v" else "epsilon"
    return DPMSolverMultistepScheduler.from_config(config, prediction_type=kind)


def _picture(pixels: Tensor) -> Image.Image:
    values = pixels.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).cpu().numpy())
