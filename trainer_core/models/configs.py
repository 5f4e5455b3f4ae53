"""The Diffusers configurations and tokenizer files that ship with the project."""

import json
import pkgutil
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer_core.models import tokenizer

CONFIG_NAMES = ("sd1", "sd2-base", "sd2-v", "tiny-sd1", "tiny-sd2-base", "tiny-sd2-v")
CONFIG_FILES = {
    "unet": "unet/config.json",
    "vae": "vae/config.json",
    "text_encoder": "text_encoder/config.json",
    "scheduler": "scheduler/scheduler_config.json",
    "index": "model_index.json",
}
Config = dict[str, Any]


def read_configs(name: str) -> dict[str, Config]:
    """Return the bundled configurations of the model `name`, by component, with `scheduler` and `index`."""
    configs = {}
    for part, path in CONFIG_FILES.items():
        data = pkgutil.get_data("trainer_core", f"assets/configs/{name}/{path}")
        if data is None:
            raise FileNotFoundError(f"trainer_core/assets/configs/{name}/{path}")
        configs[part] = json.loads(data)
    return configs


def write_configs(
    folder: Path, configs: Mapping[str, Config], *, pad_token: str, words: tokenizer.Vocabulary | None = None
) -> None:
    """Write a Diffusers folder's JSON files and its tokenizer into `folder` (made if missing)."""
    for part, path in CONFIG_FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(configs[part], indent=2, sort_keys=True) + "\n", encoding="utf-8")
    write_tokenizer(folder / "tokenizer", pad_token, words)


def write_tokenizer(folder: Path, pad_token: str, words: tokenizer.Vocabulary | None = None) -> None:
    """Write the files of transformers' CLIPTokenizer into `folder` (made if missing); CLIP's without `words`."""
    words = words or tokenizer.vocabulary()
    special = {
        "bos_token": _special(tokenizer.BOS_TOKEN),
        "eos_token": _special(tokenizer.EOS_TOKEN),
        "unk_token": _special(tokenizer.EOS_TOKEN),
        "pad_token": pad_token if pad_token in words.ids else tokenizer.EOS_TOKEN,
    }
    settings = {
        **special,
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": tokenizer.MAX_LENGTH,
        "tokenizer_class": "CLIPTokenizer",
    }
    folder.mkdir(parents=True, exist_ok=True)
    merges = "".join(f"{left} {right}\n" for left, right in words.merges)
    (folder / "vocab.json").write_text(json.dumps(words.ids, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    for name, content in {"special_tokens_map.json": special, "tokenizer_config.json": settings}.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _special(token: str) -> Config:
    return {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}


def bundled_config(name: str, parent: Path | None = None) -> Path:
    """Return a folder with everything but weights of the model `name` (one of CONFIG_NAMES).

    It is what `StableDiffusionPipeline.from_single_file(file, config=<folder>, local_files_only=True)` needs. The
    folder is written below `parent`, or into a new temporary folder that the caller may remove.
    """
    if name not in CONFIG_NAMES:
        raise ValueError(f"no bundled configuration {name!r}; there are {', '.join(CONFIG_NAMES)}")
    folder = Path(tempfile.mkdtemp(prefix="dbtui-config-")) / name if parent is None else parent / name
    shutil.rmtree(folder, ignore_errors=True)
    write_configs(folder, read_configs(name), pad_token="!" if "sd2" in name else tokenizer.EOS_TOKEN)
    return folder
