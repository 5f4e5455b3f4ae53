"""DreamBooth as a plain loop of diffusers, accelerate and torch: what the trainer is compared with.

It does what diffusers' own examples/dreambooth/train_dreambooth.py does with `--train_text_encoder`,
`--with_prior_preservation` and otherwise default options: pictures are opened and prompts tokenized again every
time, by a DataLoader without workers; each batch is instance pictures and as many class pictures, concatenated;
the VAE encodes every batch; torch's AdamW with its default options updates the weights; gradients are zeroed, not
freed; the loss is read back every step. Written from its description, not from its source.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Tokenize = Callable[[str], Tensor]
Pair = dict[str, Any]
_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class PlainSettings:
    """What the loop is told; `pairs` is the number of instance pictures, and of class pictures, in a batch.

    Without prior preservation there are no class pictures, and `pairs` is the batch. It runs on the GPU where
    there is one, unless `on_cpu` says otherwise.
    """

    steps: int
    pairs: int
    side: int
    learning_rate: float
    seed: int
    cache_latents: bool
    max_grad_norm: float = 1.0
    prior_weight: float = 1.0
    mixed_precision: str = "no"
    has_prior: bool = True
    on_cpu: bool = False


class Pairs(Dataset[Pair]):
    """Instance picture i with class picture i; both lists wrap around."""

    def __init__(
        self, instance: list[Path], classes: list[Path], prompts: tuple[str, str], side: int, tokenize: Tokenize
    ):
        self.instance, self.classes, self.prompts = instance, classes, prompts
        self.side, self.tokenize = side, tokenize

    def __len__(self) -> int:
        return max(len(self.instance), len(self.classes))

    def __getitem__(self, index: int) -> Pair:
        paths = self.paths(index)
        return {
            "paths": paths,
            "pixels": [open_picture(path, self.side) for path in paths],
            "ids": [self.tokenize(prompt) for prompt, _ in zip(self.prompts, paths, strict=False)],
        }

    def paths(self, index: int) -> list[Path]:
        """Return the pictures of a row."""
        return [each[index % len(each)] for each in (self.instance, self.classes) if each]


class CachedPairs(Dataset[Pair]):
    """The same pairs with the VAE's posterior and the token ids kept in memory."""

    @torch.no_grad()
    def __init__(self, pairs: Pairs, vae: Any, device: torch.device) -> None:
        ids = [pairs.tokenize(prompt) for prompt, _ in zip(pairs.prompts, pairs.paths(0), strict=False)]
        kept: dict[Path, tuple[Tensor, Tensor]] = {}
        for path in dict.fromkeys([*pairs.instance, *pairs.classes]):
            posterior = vae.encode(open_picture(path, pairs.side)[None].to(device, vae.dtype)).latent_dist
            kept[path] = posterior.mean[0], posterior.std[0]
        self.rows: list[Pair] = []
        for index in range(len(pairs)):
            paths = pairs.paths(index)
            self.rows.append({"paths": paths, "latents": [kept[path] for path in paths], "ids": ids})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Pair:
        return self.rows[index]


def open_picture(path: Path, side: int) -> Tensor:
    """Return the picture resized and cropped to a square, [3, side, side] float32 in -1..1."""
    image = Image.open(path)
    image = ImageOps.exif_transpose(image)
    if image.mode != "RGB":
        image = image.convert("RGB")
    image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).float() / 255
    return (pixels - 0.5) / 0.5


def collate(rows: list[Pair]) -> Pair:
    """Put the instance half before the class half."""
    batch: Pair = {}
    for key in rows[0]:
        values = [row[key][half] for half in range(len(rows[0][key])) for row in rows]
        if key == "latents":
            batch[key] = tuple(torch.stack(column) for column in zip(*values, strict=True))
        else:
            batch[key] = values if key == "paths" else torch.stack(values)
    return batch


def train_plain(
    model: Any, pairs: Pairs, settings: PlainSettings, after_step: Callable[[int, list[Path], float], None]
) -> None:
    """Train U-Net and text encoder of `model` in place; `after_step` gets steps done, pictures and loss."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from tqdm.auto import tqdm

    AcceleratorState._reset_state(reset_partial_state=True)  # it remembers the precision of an earlier loop
    accelerator = Accelerator(mixed_precision=settings.mixed_precision, cpu=settings.on_cpu)
    torch.manual_seed(settings.seed)
    unet, text_encoder, vae = model.unet, model.text_encoder, model.vae
    # The script's VAE computes in the precision of the passes, while the weights that learn stay float32.
    vae.requires_grad_(False).to(accelerator.device, _DTYPES[settings.mixed_precision])
    for module in (unet, text_encoder):
        module.requires_grad_(True).train()
    noise_scheduler = DDPMScheduler.from_config(model.scheduler_config)
    trained = itertools.chain(unet.parameters(), text_encoder.parameters())
    optimizer = torch.optim.AdamW(
        trained, lr=settings.learning_rate, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8
    )
    rows = CachedPairs(pairs, vae, accelerator.device) if settings.cache_latents else pairs
    loader = DataLoader(rows, batch_size=settings.pairs, shuffle=True, collate_fn=collate)
    lr_scheduler = get_scheduler("constant", optimizer=optimizer)
    unet, text_encoder, optimizer, loader, lr_scheduler = accelerator.prepare(
        unet, text_encoder, optimizer, loader, lr_scheduler
    )
    with Path(os.devnull).open("w") as nowhere:
        progress_bar = tqdm(range(settings.steps), desc="Steps", file=nowhere)
        for step, batch in enumerate(_endless(loader), start=1):
            with accelerator.accumulate(unet):
                loss = _loss(model, unet, text_encoder, noise_scheduler, batch, settings)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    to_clip = itertools.chain(unet.parameters(), text_encoder.parameters())
                    accelerator.clip_grad_norm_(to_clip, settings.max_grad_norm)
                optimizer.step()
                lr_scheduler.step()
                optimizer.zero_grad(set_to_none=False)
            progress_bar.update(1)
            logs = {"loss": loss.detach().item(), "lr": lr_scheduler.get_last_lr()[0]}
            progress_bar.set_postfix(**logs)
            accelerator.log(logs, step=step)
            after_step(step, batch["paths"], logs["loss"])
            if step >= settings.steps:
                break


def _loss(
    model: Any, unet: Any, text_encoder: Any, noise_scheduler: Any, batch: Pair, settings: PlainSettings
) -> Tensor:
    latents = _latents(model.vae, batch) * model.vae.config.scaling_factor
    noise = torch.randn_like(latents)
    last = noise_scheduler.config.num_train_timesteps
    timesteps = torch.randint(0, last, (latents.shape[0],), device=latents.device).long()
    noisy = noise_scheduler.add_noise(latents, noise, timesteps)
    hidden = text_encoder(batch["ids"], return_dict=False)[0]
    predicted = unet(noisy, timesteps, hidden).sample
    if noise_scheduler.config.prediction_type == "epsilon":
        target = noise
    else:
        target = noise_scheduler.get_velocity(latents, noise, timesteps)
    if not settings.has_prior:
        return F.mse_loss(predicted.float(), target.float(), reduction="mean")
    predicted, predicted_prior = torch.chunk(predicted, 2, dim=0)
    target, target_prior = torch.chunk(target, 2, dim=0)
    prior_loss = F.mse_loss(predicted_prior.float(), target_prior.float(), reduction="mean")
    return F.mse_loss(predicted.float(), target.float(), reduction="mean") + settings.prior_weight * prior_loss


def _latents(vae: Any, batch: Pair) -> Tensor:
    if "latents" in batch:
        mean, std = batch["latents"]
        return mean + std * torch.randn_like(mean)
    with (
        torch.no_grad()
    ):  # the script has no such line: its VAE keeps no graph because none of it wants a gradient
        return vae.encode(batch["pixels"].to(vae.dtype)).latent_dist.sample()


def _endless(loader: DataLoader[Pair]) -> Iterator[Pair]:
    while True:
        yield from loader


def clip_tokenize(folder: Path) -> Tokenize:
    """Return transformers' own CLIP tokenizer, read from the `tokenizer` folder of a bundled configuration."""
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)

    def tokenize(prompt: str) -> Tensor:
        encoded = tokenizer(prompt, truncation=True, padding="max_length", max_length=77, return_tensors="pt")
        return encoded.input_ids[0]

    return tokenize
