"""Uploading a model to the Hugging Face Hub, and asking the Hub whether it has arrived whole."""

import hashlib
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_core.data.listing import counted
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.hub import without_token
from trainer_core.models.quiet import quiet_imports
from trainer_core.services import TOKEN
from trainer_core.text import safe_text

CHUNK = 2**22
CARD = "README.md"


class UploadError(Exception):
    """The model is not, or not whole, on the Hub; the text says why. It is safe to show and holds no token."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What is on the Hub now: where, how many files, and their bytes."""

    url: str
    files: int
    bytes: int


def refuse_bad_token(repo_id: str) -> None:
    """Raise UserError(MODEL) if the Hub knows the token of the environment not to be valid.

    Nothing is said if the Hub cannot be asked: it may be there when the training is done.
    """
    quiet_imports()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi(token=os.environ[TOKEN]).whoami()
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in {401, 403}:
            text = f"the Hub does not take the token in {TOKEN}: set one that may write to {repo_id}"
            raise UserError(f"hub.push: {text}, or remove hub.push", ExitCode.MODEL) from error
    except Exception:  # noqa: BLE001 - no network, say
        return


def upload_model(
    paths: list[Path], repo_id: str, *, private: bool, card: str, progress: Callable[[str], None]
) -> Uploaded:
    """Put the model at `paths` (its files, or its folder) into the repository, which is made if need be.

    A folder's content goes to the repository's root, so that Diffusers loads it by `repo_id`. `card` becomes the
    README where there is none. The token comes from the environment. Raises UploadError.
    """
    quiet_imports()
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    files = files_of(paths)
    try:
        api = HfApi(token=os.environ.get(TOKEN))
        url = str(api.create_repo(repo_id, private=private, exist_ok=True))
        operations = [CommitOperationAdd(name, str(file)) for name, file in files.items()]
        if not api.file_exists(repo_id, CARD):
            operations.append(CommitOperationAdd(CARD, card.encode()))
        progress(f"uploading {counted(len(files), 'file')} to {repo_id}")
        commit = api.create_commit(repo_id, operations, commit_message=f"Upload {paths[0].name} with dbtui")
        progress("asking the Hub what has arrived")
        found = api.get_paths_info(repo_id, list(files), revision=commit.oid)
        _check(files, {entry.path: entry for entry in found if isinstance(entry, RepoFile)})
    except UploadError:
        raise
    except Exception as error:  # the library, its HTTP client and its native parts raise many kinds
        raise UploadError(_reason(error, repo_id)) from error
    return Uploaded(url, len(files), sum(file.stat().st_size for file in files.values()))


def files_of(paths: list[Path]) -> dict[str, Path]:
    """Return each file of the model by its name in the repository."""
    if paths[0].is_dir():
        folder = paths[0]
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {file.relative_to(folder).as_posix(): file for file in files}
    return {file.name: file for file in paths}


def command_to_repeat(paths: list[Path], repo_id: str) -> str:
    """Return what to type to upload the model by hand."""
    if paths[0].is_dir():
        return shlex.join(["hf", "upload", repo_id, str(paths[0]), "."])
    return " && ".join(shlex.join(["hf", "upload", repo_id, str(path), path.name]) for path in paths)


def _check(files: dict[str, Path], found: dict[str, Any]) -> None:
    """Compare what the Hub says of each file with the file: its size, and its SHA-256 (or git's SHA-1)."""
    for name, file in files.items():
        entry = found.get(name)
        if entry is None:
            raise UploadError(f"the Hub does not have {safe_text(name)} after the upload")
        there = entry.blob_id if entry.lfs is None else entry.lfs.sha256
        if entry.size != file.stat().st_size or there != _digest(file, of_git=entry.lfs is None):
            raise UploadError(f"{safe_text(name)} on the Hub is not the file that was sent")


def _digest(file: Path, *, of_git: bool) -> str:
    head = b"blob %d\0" % file.stat().st_size
    digest = hashlib.sha1(head, usedforsecurity=False) if of_git else hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _reason(error: Exception, repo_id: str) -> str:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in {401, 403}:
        return f"the token in {TOKEN} may not write to {repo_id}"
    return f"the Hub answered {status}" if status else f"{type(error).__name__}: {without_token(error)}"
