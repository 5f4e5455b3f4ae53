"""The draft on disk, so that a dropped connection loses no answer."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from dbtui.wizard.draft import GOALS, Draft
from trainer_core.run.atomic import write_text

_VERSION = 1
_LARGEST = 4 << 20
_EXPECTED: dict[str, type] = {each.name: type(getattr(Draft(), each.name)) for each in fields(Draft)}


def state_folder() -> Path:
    """Return the folder of what dbtui remembers of this person; it need not exist. DBTUI_STATE_DIR moves it."""
    if configured := os.environ.get("DBTUI_STATE_DIR"):
        return Path(configured)
    from platformdirs import user_state_path

    return user_state_path("dbtui")


def draft_path() -> Path:
    """Return the file of the draft."""
    return state_folder() / "draft.json"


def load_draft() -> Draft | None:
    """Return the draft that was left, None if there is none or it cannot be read."""
    try:
        if draft_path().stat().st_size > _LARGEST:
            return None
        data = json.loads(draft_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _draft_of(data)


def save_draft(draft: Draft) -> None:
    """Write the draft, whole or not at all; a disk that cannot be written is not worth an error here."""
    text = json.dumps({"version": _VERSION, **asdict(draft)}, ensure_ascii=True)
    with suppress(OSError):
        draft_path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(draft_path(), text)


def forget_draft() -> None:
    """Remove the draft: its run was started, or the person does not want it."""
    with suppress(OSError):
        draft_path().unlink(missing_ok=True)


def _draft_of(data: Any) -> Draft | None:
    if not isinstance(data, dict) or data.pop("version", None) != _VERSION:
        return None
    if data.keys() != _EXPECTED.keys() or any(
        not isinstance(data[name], kind) for name, kind in _EXPECTED.items()
    ):
        return None
    draft = Draft(**data)
    concepts = draft.tables.get("concept", [])
    is_sound = (
        draft.goal in GOALS and isinstance(concepts, list) and all(isinstance(each, dict) for each in concepts)
    )
    return draft if is_sound else None
