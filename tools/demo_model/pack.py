"""Writes the demo model as it ships: a finetuned U-Net and text encoder, the finished VAE, all in fp16.

`python tools/demo_model/pack.py FINETUNED.safetensors VAE.safetensors TARGET` writes TARGET.safetensors.
"""

import sys
from pathlib import Path

from safetensors.torch import load_file

from trainer_core.config.schema import Model
from trainer_core.models.load import load_model
from trainer_core.models.save import save_model

MOST_BYTES = 16_000_000
TITLE = {"modelspec.title": "dbtui demo model", "modelspec.license": "Apache-2.0"}


def main() -> None:
    """Load, put the VAE in, save."""
    finetuned, vae, target = (Path(word) for word in sys.argv[1:])
    model = load_model(Model(base=str(finetuned)))
    model.vae.load_state_dict(load_file(vae))
    saved = save_model(model, target, format="safetensors", precision="fp16", metadata=TITLE)
    print(f"{saved.paths[0]}: {saved.bytes / 1e6:.1f} MB")
    if saved.bytes > MOST_BYTES:
        sys.exit(f"that is more than {MOST_BYTES / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
