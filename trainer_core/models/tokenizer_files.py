"""A tokenizer from elsewhere: a folder with vocab.json and merges.txt, the model with it, a Hub id; no torch."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.hub import TOKENIZER_FILES, fetch_tokenizer
from trainer_core.models.sniff import is_hub_id
from trainer_core.models.tokenizer import BOS_TOKEN, EOS_TOKEN, ClipTokenizer, Vocabulary, clip_tokenizer
from trainer_core.on_disk import from_home, is_file, is_folder, why_closed, why_not_there
from trainer_core.text import safe_text

MAX_BYTES = 16 * 2**20  # CLIP's own are 1 MB together


def find_tokenizer(named: str | None, progress: Callable[[str], None]) -> ClipTokenizer:
    """Return the tokenizer that `model.tokenizer` names; CLIP's own where it names none.

    Raises:
        UserError: its files are missing or hold something else (code MODEL), or the Hub does not give them.
    """
    if named is None:
        return clip_tokenizer()
    if is_hub_id(named):
        return read_tokenizer(fetch_tokenizer(named, progress))
    return read_tokenizer(from_home(named))


def tokenizer_at_hand(named: str | None) -> ClipTokenizer:
    """Return the tokenizer that `model.tokenizer` names if it lies here and is sound, else CLIP's own."""
    if named is not None and not is_hub_id(named):
        with suppress(UserError):
            return read_tokenizer(from_home(named))
    return clip_tokenizer()


def read_tokenizer(folder: Path) -> ClipTokenizer:
    """Return the tokenizer in `folder`, or in the folder tokenizer/ of the Diffusers model `folder`."""
    if not is_folder(folder):
        problem = "a tokenizer is a folder" if is_file(folder) else why_not_there(folder)
        raise _error(folder, f"{problem}; model.tokenizer wants one with vocab.json and merges.txt")
    below = folder / "tokenizer"
    where = below if is_folder(below) and not is_file(folder / TOKENIZER_FILES[0]) else folder
    if closed := why_closed(where):
        raise _error(where, closed)
    if missing := [name for name in TOKENIZER_FILES if not is_file(where / name)]:
        names = " and ".join(missing)
        raise _error(where, f"no {names} here, and model.tokenizer needs both; name the folder that has them")
    words = Vocabulary(_read_ids(where / TOKENIZER_FILES[0]), _read_merges(where / TOKENIZER_FILES[1]))
    tokenizer = ClipTokenizer(words)
    try:
        tokenizer.split([""])
    except Exception as error:  # the library has no error of its own
        problem = f"its files do not belong together ({safe_text(error)}); download the tokenizer again"
        raise _error(where, problem) from error
    return tokenizer


def check_vocabulary(tokenizer: ClipTokenizer, rows: int, named: str) -> None:
    """Raise UserError(MODEL) unless the tokenizer fits a text encoder that knows `rows` tokens."""
    if (count := len(tokenizer.words.ids)) != rows:
        raise _error(
            Path(named),
            f"this tokenizer has {count:,} tokens and the text encoder of the start model knows {rows:,}; "
            "use the model's own tokenizer (leave model.tokenizer out if it is CLIP's)",
        )


def _read_ids(file: Path) -> dict[str, int]:
    try:
        ids = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise _error(file, f"is not JSON ({safe_text(error)}); download the tokenizer again") from error
    if not isinstance(ids, dict) or {number for number in ids.values() if type(number) is int} != set(
        range(len(ids))
    ):
        raise _error(file, "does not number its tokens from 0 on; download the tokenizer again")
    if missing := [token for token in (BOS_TOKEN, EOS_TOKEN) if token not in ids]:
        raise _error(file, f"lacks {' and '.join(missing)}: this is not the tokenizer of a CLIP text encoder")
    return ids


def _read_merges(file: Path) -> list[tuple[str, str]]:
    lines = [line for line in _text(file).splitlines() if line.strip() and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    if not all(len(pair) == 2 for pair in pairs):
        raise _error(file, "does not hold two parts on each line; download the tokenizer again")
    return [(pair[0], pair[1]) for pair in pairs]


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _error(file, "is far too large for a CLIP tokenizer")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(file, f"cannot be read ({safe_text(error)}); download the tokenizer again") from error


def _error(path: Path, problem: str) -> UserError:
    return UserError(f"{safe_text(path)}: {problem}", ExitCode.MODEL)
