"""The trainings that benchmarks/learning.py compares: how each is told to the trainer."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import tomlkit

from dbtui.demo.files import MODEL_FILE
from dbtui.demo.world.scene import choose_scene, draw_scene
from dbtui.demo.world.subject import CLASS, IDENTIFIER, draw_subject, subject_scene
from dbtui.demo.world.write import CLASS_SEEDS, SUBJECT_SEEDS
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config

SUBJECT_PICTURES, CLASS_PICTURES = 6, 24
SETTINGS = """schema = 1
[dataset]
train_dir = "train"
resolution = [64, 64]
[scheduler]
type = "cosine"
warmup_steps = 20
[train]
max_steps = 300
batch_size = 8
[save]
output_name = "learned"
"""


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is trained here.

    Attributes:
        tables: what it sets beside SETTINGS.
        rates: learning rates that it is tried with: the presets', made for a model a hundred times as large, and
            some that fit a small one.
        caption: what is written beside each picture of the subject; None for none.
        subject_prompt: what draws the subject afterwards.
    """

    tables: dict[str, dict[str, Any]]
    rates: tuple[float, ...]
    caption: str | None
    subject_prompt: str

    @property
    def takes_class_pictures(self) -> bool:
        """Whether prior preservation is a choice."""
        return bool(self.tables["method"]["captions"] != "finetune")


_SUBJECT = f"a {IDENTIFIER} {CLASS}"
_WHOLE = (1e-6, 5e-4, 1e-3)
METHODS = {
    "full": Method({"method": {"captions": "dreambooth"}}, _WHOLE, None, _SUBJECT),
    "lora": Method(
        {"method": {"captions": "dreambooth", "train": "lora"}, "network": {"rank": 8}},
        (1e-4, 2e-3, 4e-3),
        None,
        _SUBJECT,
    ),
    "hybrid": Method(
        {"method": {"captions": "hybrid"}}, _WHOLE, f"a {CLASS} on a {{background}} background", IDENTIFIER
    ),
    "finetune": Method(
        {"method": {"captions": "finetune"}}, _WHOLE, f"{_SUBJECT} on a {{background}} background", _SUBJECT
    ),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One training: a key of METHODS, its learning rate, and whether class pictures are used.

    Attributes:
        more: tables of settings that come on top.
        caption: in place of the method's.
    """

    method: str
    rate: float
    prior: bool
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    caption: str | None = None

    @property
    def title(self) -> str:
        """What a table calls it."""
        without = "" if self.prior or self.method == "finetune" else ", no class pictures"
        return f"{self.method}, {self.rate:g}{without}"

    @property
    def subject_prompt(self) -> str:
        """What draws the subject afterwards."""
        return METHODS[self.method].subject_prompt


def write_pictures(folder: Path) -> None:
    """Draw the subject into `folder`/train and other frogs into `folder`/reg."""
    train, reg = folder / "train" / f"4_{IDENTIFIER} {CLASS}", folder / "reg" / f"1_{CLASS}"
    for target in (train, reg):
        target.mkdir(parents=True)
    for number in range(SUBJECT_PICTURES):
        draw_subject(SUBJECT_SEEDS[number]).save(train / f"{number:02d}.png")
    for number in range(CLASS_PICTURES):
        draw_scene(choose_scene(CLASS_SEEDS[number], animal=CLASS)).save(reg / f"{number:02d}.png")


def run_config(case: Case, folder: Path, model: Path, *, steps: int | None, seed: int) -> Config:
    """Return the training of `case` on what `write_pictures` wrote; captions are written beside the pictures."""
    method = METHODS[case.method]
    _write_captions(folder, case.caption or method.caption)
    tables = {**tomllib.loads(SETTINGS), **method.tables}
    tables["model"] = {"base": str(model.resolve())}
    tables["optimizer"] = {"type": "adamw", "learning_rate": case.rate}
    tables["train"] |= {"seed": seed} | ({"max_steps": steps} if steps else {})
    if case.prior:
        tables["dataset"]["reg_dir"] = "reg"
    for name, values in case.more.items():
        tables[name] = {**tables.get(name, {}), **values}
    return parse_config(tomlkit.dumps(tables), "the benchmark's run file", folder=folder)


def _write_captions(folder: Path, caption: str | None) -> None:
    (pictures,) = (folder / "train").iterdir()
    for number in range(SUBJECT_PICTURES):
        beside = pictures / f"{number:02d}.txt"
        if caption is None:
            beside.unlink(missing_ok=True)
        else:
            background = subject_scene(SUBJECT_SEEDS[number]).background
            beside.write_text(caption.format(background=background) + "\n", encoding="utf-8")


def shipped_model() -> Path:
    """Return the file of the demo model."""
    return Path(str(resources.files("dbtui.demo") / "model" / MODEL_FILE))
