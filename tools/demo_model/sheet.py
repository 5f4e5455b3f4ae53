"""Draws a sheet of what a model draws: each animal in its colours, or the prompts that are named.

`python tools/demo_model/sheet.py MODEL SHEET.png [PROMPT ...]`; a prompt that is named fills a row.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

from dbtui.demo.world.animals import ANIMALS
from dbtui.demo.world.palette import BACKGROUNDS, COATS
from dbtui.demo.world.scene import SIDE
from trainer_core.config.schema import Model, Prompt
from trainer_core.models.load import load_model
from trainer_core.train.preview import draw_together

COLUMNS, ENLARGED = 6, 2
STEPS, GUIDANCE = 20, 4.0


def main() -> None:
    """Draw and save."""
    base, sheet, *prompts = sys.argv[1:]
    model = load_model(Model(base=base))
    rows = [[prompt] * COLUMNS for prompt in prompts] or _every_animal()
    whole = Image.new("RGB", (SIDE * COLUMNS * ENLARGED, SIDE * len(rows) * ENLARGED))
    for top, row in enumerate(rows):
        wanted = [
            Prompt(prompt=prompt, seed=100 * top + left, steps=STEPS, guidance_scale=GUIDANCE)
            for left, prompt in enumerate(row)
        ]
        off = torch.autocast("cpu", enabled=False)
        drawn = draw_together(model, wanted, (SIDE, SIDE), torch.device("cpu"), clip_skip=None, autocast=off)
        for left, picture in enumerate(drawn):
            larger = picture.resize((SIDE * ENLARGED, SIDE * ENLARGED), Image.Resampling.NEAREST)
            whole.paste(larger, (left * larger.width, top * larger.height))
        print(" | ".join(row if len(set(row)) > 1 else row[:1]))
    whole.save(Path(sheet))


def _every_animal() -> list[list[str]]:
    backgrounds = list(BACKGROUNDS)
    prompts = [
        [
            f"a {color} {animal} on a {backgrounds[(place + row) % COLUMNS]} background"
            for place, color in enumerate(COATS)
        ]
        for row, animal in enumerate(ANIMALS)
    ]
    return [[prompt.replace("a orange", "an orange") for prompt in row] for row in prompts]


if __name__ == "__main__":
    main()
