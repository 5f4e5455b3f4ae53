"""The models that were used lately, in the folder of what dbtui remembers of this person."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from dbtui.wizard.draft_file import state_folder
from trainer_core.run.atomic import write_text
from trainer_core.text import is_plain

MOST = 20
_LARGEST = 1 << 20


def recent_models() -> list[str]:
    """Return the models used lately, the last one first: absolute paths and Hub ids, safe to show and to type."""
    try:
        if _path().stat().st_size > _LARGEST:
            return []
        return _models_in(json.loads(_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return []


def remember_model(base: str) -> None:
    """Put a model first; a disk that cannot be written is not worth an error."""
    if not is_plain(base):
        return
    models = [base, *(each for each in recent_models() if each != base)][:MOST]
    with suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(_path(), json.dumps({"models": models}))


def _path() -> Path:
    return state_folder() / "recent_models.json"


def _models_in(data: Any) -> list[str]:
    listed = data.get("models") if isinstance(data, dict) else None
    models = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    return [each for each in dict.fromkeys(models) if each and len(os.fsencode(each)) < 4096 and is_plain(each)][
        :MOST
    ]
