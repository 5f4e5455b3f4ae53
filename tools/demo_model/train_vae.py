"""Trains the demo model's VAE from random weights; stop it at any time, and it goes on from its last state.

`python tools/demo_model/train_vae.py FOLDER [--steps 2800]`; on two cores beside other work, twice at once, with
`--parts 2 --part 0` and `--parts 2 --part 1`: each does half of every batch.
FOLDER/vae-state.safetensors is the state, FOLDER/vae.safetensors the average weights, their latents scaled. The
encoder is finished first: from step ENCODER_STEPS on, the U-Net can be trained while the decoder goes on learning.
"""

import argparse
import copy
import sys
import time
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed

sys.path.insert(0, str(Path(__file__).parent))

from vae_model import build_vae, scale_latents, vae_loss
from vae_pictures import as_input, draw_pictures

from trainer_core.data.order import derive_seed

SEED = 8
PICTURES, HELD_OUT, HELD_OUT_FROM = 3000, 64, 500_000
BATCH = 16
RATE, WARMUP = 2e-3, 50
COURSE = {0: 1.0, 2000: 1.0, 2100: 0.95, 2800: 0.0}
"""The share of the learning rate at some steps, lines between them; the last one is the end."""
AVERAGE = 0.995
ENCODER_STEPS = 1600
SAVE_EVERY = 100
MEETING = "tcp://127.0.0.1:29518"


def main() -> None:
    """Train and save."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--steps", type=int, default=max(COURSE))
    asked.add_argument("--parts", type=int, default=1)
    asked.add_argument("--part", type=int, default=0)
    words = asked.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if words.parts > 1:
        distributed.init_process_group("gloo", init_method=MEETING, rank=words.part, world_size=words.parts)
    print("drawing pictures ...", flush=True)
    pictures, held_out = draw_pictures(PICTURES, 0), as_input(draw_pictures(HELD_OUT, HELD_OUT_FROM))
    training = Training(words.folder, words.steps, words.part, words.parts)
    while training.step < words.steps:
        training.learn(pictures)
        if words.part == 0 and (training.step % SAVE_EVERY == 0 or training.step == words.steps):
            training.save(held_out)


class Training:
    """The VAE, its optimizer and its average, with the step they have reached."""

    def __init__(self, folder: Path, steps: int, part: int, parts: int) -> None:
        self.folder, self.steps, self.step = folder, steps, 0
        self.part, self.parts = part, parts
        self.vae = build_vae(SEED)
        self.average = copy.deepcopy(self.vae).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.vae.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
        self.seen: list[float] = []
        self.since = time.monotonic()
        if self._state.is_file():
            self._load()

    def learn(self, pictures: Tensor) -> None:
        """Do one step on a batch that the step's number chooses."""
        if self.step == ENCODER_STEPS:
            self._finish_encoder()
        generator = torch.Generator().manual_seed(derive_seed(SEED, "vae", self.step))
        chosen = torch.randint(len(pictures), (BATCH,), generator=generator)
        batch = as_input(pictures[chosen[self.part :: self.parts]])
        generator.manual_seed(derive_seed(SEED, "noise", self.step, self.part))
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * self._rate_now()
        with torch.autocast("cpu", torch.bfloat16):
            loss = vae_loss(self.vae, batch, generator)
        loss.backward()
        if self.parts > 1:
            self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.vae.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        keep = min(AVERAGE, self.step / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.vae.parameters()), 1 - keep)
        self.seen.append(loss.item())

    def save(self, held_out: Tensor) -> None:
        """Write state and result, and tell how well held-out pictures come back."""
        tensors = {f"vae.{name}": tensor for name, tensor in self.vae.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        _write(tensors, self._state, {"step": str(self.step)})
        result = copy.deepcopy(self.average)
        scale_latents(result, held_out)
        _write(result.state_dict(), self.folder / "vae.safetensors", {})
        seconds = (time.monotonic() - self.since) / len(self.seen)
        loss = sum(self.seen) / len(self.seen)
        told = (
            f"step {self.step} loss {loss:.4f} held out {peak_to_noise(result, held_out):.1f} dB {seconds:.2f} s"
        )
        print(told, flush=True)
        self.seen, self.since = [], time.monotonic()

    def _share_gradients(self) -> None:
        """Give every part the mean of all parts' gradients."""
        gradients = [weight.grad for weight in self.vae.parameters() if weight.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        pieces = (together / self.parts).split([gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))

    def _finish_encoder(self) -> None:
        """Let the encoder stay what its average is."""
        self.vae.load_state_dict(_encoder_of(self.average), strict=False)
        self._hold_encoder()

    def _hold_encoder(self) -> None:
        for part in (self.vae.encoder, self.vae.quant_conv):
            part.requires_grad_(False)

    @property
    def _state(self) -> Path:
        return self.folder / "vae-state.safetensors"

    def _rate_now(self) -> float:
        """Return the share of the learning rate: a warm-up, then COURSE."""
        share = float(numpy.interp(self.step, list(COURSE), list(COURSE.values())))
        return min((self.step + 1) / WARMUP, share)

    def _load(self) -> None:
        from safetensors import safe_open

        tensors = load_file(self._state)
        with safe_open(self._state, "pt") as file:
            self.step = int(file.metadata()["step"])
        self.vae.load_state_dict(_below("vae.", tensors))
        self.average.load_state_dict(_below("average.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer.", tensors).items():
            number, _, part = name.partition(".")
            state.setdefault(int(number), {})[part] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        if self.step > ENCODER_STEPS:
            self._hold_encoder()


def _encoder_of(vae: AutoencoderKL) -> dict[str, Tensor]:
    return {
        name: tensor for name, tensor in vae.state_dict().items() if name.startswith(("encoder.", "quant_conv."))
    }


@torch.no_grad()
def peak_to_noise(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Return the PSNR in dB of pictures in -1..1 that went through the VAE."""
    decoded = vae.decode(vae.encode(pictures).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (decoded - pictures).square().mean()))


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    beside = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, metadata)
    beside.replace(path)


if __name__ == "__main__":
    main()
