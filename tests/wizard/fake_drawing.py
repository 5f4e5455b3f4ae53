"""Stands in for `python -m trainer_core.generate`: the same events, pictures of one colour, no torch."""

import json
import sys
from pathlib import Path

from PIL import Image


def tell(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


request = json.loads(sys.stdin.readline())
out = Path(request["out"])
out.mkdir(parents=True, exist_ok=True)
tell("phase", name="load", text="loading the U-Net")
kinds = ["trained", "base"] if request["compare"] else ["trained"]
total = request["number"] * len(kinds)
done = 0
for of in kinds:
    tell("phase", name="draw", text="drawing with tiny")
    for number in range(request["number"]):
        tell("progress", done=done, total=total, step=3, steps=request["steps"])
        if request["prompts"] == ["wait"]:
            sys.stdin.read()  # until it is closed
            tell("failed", exit_code=75, problems=["stopped; the pictures that are there stay"])
            sys.exit(75)
        path = out / f"{number + 1:05d}{'-base' if of == 'base' else ''}.png"
        Image.new("RGB", (64, 64), "navy" if of == "base" else "olive").save(path)
        tell("picture", path=str(path), of=of, prompt=request["prompts"][0], seed=request["seed"] + number)
        done += 1
tell("note", text="its start model was found by its hash: models/tiny.safetensors")
tell("done")
