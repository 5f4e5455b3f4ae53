"""Everything that may come from outside, written by somebody who wants to reach the terminal."""

import json
from pathlib import Path

from PIL import Image

from tests.wizard.drawn import break_off
from tests.wizard.model_files import write_model
from trainer_core.run.directory import RunDirectory, create_run
from trainer_core.run.lines import encode_line

COLOR = (0x12, 0xAB, 0x34)
"""No style of ours has it: where it shows, somebody's markup was believed."""
NAME = "\x1b[31m\x1b]0;owned\x07\u202e\u2066\u200b[#12ab34]x[@click=app.mine]y\x9b2J\x7f\u2028"
"""For the names of files, which hold no slash."""
TEXT = f"{NAME}[/][/#12ab34]\n\r\t[red]x[/]\ud800"
LITERAL = "[#12ab34]x"


def bare(text: str) -> str:
    """What JSON and TOML can hold of it."""
    return text.replace("\ud800", "")


def write_models(folder: Path) -> tuple[Path, Path]:
    """Write a model whose metadata is hostile, and one whose name is."""
    folder.mkdir(parents=True)
    told = dict.fromkeys(
        ("modelspec.title", "modelspec.architecture", "modelspec.prediction_type", "ss_sd_model_name"), bare(TEXT)
    )
    good = write_model(folder / "good.safetensors", metadata=told)
    return good, write_model(folder / f"{NAME}.safetensors", metadata=told)


def write_pictures(root: Path) -> tuple[Path, Path]:
    """Write a plain folder of pictures and one whose folders are named for the trainer; return both."""
    plain = root / f"photos {NAME}"
    plain.mkdir(parents=True)
    for number in range(2):
        path = plain / f"{number} {NAME}.png"
        Image.new("RGB", (64, 64), (90, 90, 90)).save(path)
        path.with_suffix(".txt").write_text(bare(TEXT), encoding="utf-8", errors="surrogateescape")
    break_off(plain / f"broken {NAME}.png")
    (plain / f"no picture {NAME}.png").write_bytes(b"\x1b[2J")
    (plain / f"inner {NAME}").mkdir()
    laid_out = root / "laid out"
    for name in (f"2_sls {NAME}", "20 sls frog", f"3_ukj frog{NAME}"):
        (laid_out / name).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(laid_out / name / f"{NAME}.png")
    return plain, laid_out


def write_presets(config: Path) -> None:
    """Write presets of the person's own: one that can be read, one that cannot, one whose name is hostile."""
    folder = config / "presets"
    folder.mkdir(parents=True)
    text = json.dumps(bare(NAME))  # JSON's escapes are TOML's
    about = "".join(f"{name} = {text}\n" for name in ("title", "description", "author", "license"))
    measured = f'measured = [{{ gpu = {text}, peak_vram_gb = 10.1, it_per_s = 1.9, version = "0.1" }}]\n'
    body = f'schema = 1\nextends = "sd15-12gb"\n[preset]\nNAME{about}{measured}'
    (folder / "mine.toml").write_text(body.replace("NAME", 'name = "mine"\nmin_vram_gb = 8\n'))
    (folder / "plain.toml").write_text(body.replace("NAME", 'name = "plain"\n').replace(text, '"[#12ab34]x[/]"'))
    (folder / "broken.toml").write_text(
        f'schema = 1\n[train]\n{text} = {text}\nmax_steps = "{bare("[#12ab34]x")}"\n'
    )
    (folder / f"{NAME}.toml").write_text("schema = 1\n")


def write_run(runs_dir: Path, name: str, model: Path, pictures: Path, *, code: int | None) -> RunDirectory:
    """Write a run whose every text is hostile."""
    toml = (
        f'schema = 1\n[preset]\ntitle = "[#12ab34]x[/]"\n[model]\nbase = {json.dumps(str(model))}\n'
        f'[[concept]]\nidentifier = "[#12ab34]x[/]"\nclass = "frog"\ninstance_dir = {json.dumps(str(pictures))}\n'
        f'[[sample.prompts]]\nprompt = "[#12ab34]x[/] a frog"\n[train]\nmax_steps = 8\n'
    )
    run = create_run(runs_dir, name, toml)
    run.samples.mkdir()
    Image.new("RGB", (64, 64), (1, 2, 3)).save(run.samples / f"{NAME}.png")
    run.output.mkdir()
    output = run.output / f"{NAME}.safetensors"
    output.write_bytes(b"weights")
    lines = [
        {"kind": "format", "version": 1, "run": TEXT, "started": 1.75e9},
        {"kind": "phase", "name": TEXT, "total": 3, "text": TEXT},
        {"kind": "phase", "name": "train", "total": 8, "epochs": 1, "steps_per_epoch": 8},
        *(
            {"kind": "step", "step": n, "epoch": 1, "loss": 0.1, "lr": 1e-6, "images_per_s": 1.0}
            for n in (1, 2, 3)
        ),
        {"kind": "warning", "code": TEXT, "text": TEXT, "step": 2},
        {"kind": "sample", "step": 3, "path": f"samples/{NAME}.png", "prompt": TEXT, "seed": 1},
        {"kind": "saved", "step": 3, "path": f"output/{NAME}.safetensors", "seconds": 1.0, "bytes": 7},
        {"kind": "control_ack", "command": TEXT, "text": TEXT},
        {"kind": TEXT, "text": TEXT},
    ]
    if code is not None:
        kind = "failed" if code else "finished"
        outputs = [] if code else [str(output)]
        lines.append({"kind": kind, "exit_code": code, "text": TEXT, "step": 3, "outputs": outputs})
    stamped = [{"t": 1.75e9 + n, "mono": 1.0 + n, **line} for n, line in enumerate(lines)]
    run.events.write_bytes(b"".join(encode_line(line) for line in stamped))
    run.console_log.write_bytes(bare(TEXT).encode() + b"\n\x1b[2J\xff raw\n")
    process = {
        "pid": 1,
        "host": TEXT,
        "command": [TEXT],
        "gpu": {"name": TEXT, "driver": TEXT, "vram_total_gb": 10**400},
    }
    run.process_json.write_text(json.dumps(process))
    (run.path / "dataset.json").write_text(json.dumps({"formula": TEXT, "folders": [{"name": TEXT}]}))
    return run


def write_draft(state: Path, tables: dict[str, object], name: str = "aaaaaaaaaaaa") -> Path:
    """Write a draft as an earlier dbtui, or somebody else, may have left it."""
    folder = state / "drafts"
    folder.mkdir(parents=True, exist_ok=True)
    draft = {
        "version": 1, "goal": "thing", "preset": "", "name": TEXT, "tables": tables, "aside": {TEXT: TEXT},
        "step": TEXT, "origin": TEXT,
    }  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(json.dumps(draft))
    return path


HOSTILE_TABLES: dict[str, object] = {
    "model": {"base": TEXT, "vae": TEXT, "revision": TEXT, "prediction": TEXT},
    "method": {"train": "full", "captions": TEXT},
    "concept": [
        {"identifier": TEXT, "class": TEXT, "instance_prompt": TEXT, "class_prompt": TEXT, "instance_dir": TEXT},
        {"identifier": "[#12ab34]x[/]", "class": "[#12ab34]x[/]", "instance_dir": "[#12ab34]x[/]"},
    ],
    "dataset": {"reg_dir": TEXT, "caption_extension": TEXT, "resolution": TEXT},
    "prior": {"class_prompt": TEXT, "class_negative_prompt": TEXT},
    "optimizer": {"type": TEXT, "learning_rate": TEXT},
    "sample": {"prompts": [{"prompt": TEXT, "negative_prompt": TEXT, "seed": TEXT}], "prompts_file": TEXT},
    "save": {"output_name": TEXT, "output_dir": TEXT, "format": TEXT},
    "train": {"max_steps": TEXT},
    TEXT: {TEXT: TEXT},
}
