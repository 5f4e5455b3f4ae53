"""Downloading into the Hub's own cache, going on where an interrupted download stopped.

huggingface_hub resumes within one process only; a lost connection to a rented machine ends the process too. So a
large file is gathered in `blobs/<etag>.dbtui-partial` of the cache, checked, and takes its place there.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

SMALL = 2**20
CHUNK = 2**22
SECONDS_BETWEEN_REPORTS = 1.0


def download(repo_id: str, revision: str, commit: str, names: list[str], progress: Callable[[str], None]) -> Path:
    """Fetch the files `names` of one commit; return the folder that holds them, or the file if it is one alone.

    The cache remembers that `revision` (a branch or tag) meant this commit, so that it is found without a network.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    path = Path()
    for name in names:
        cached = try_to_load_from_cache(repo_id, name, revision=commit)
        if not isinstance(cached, str):
            _fetch_blob(repo_id, commit, name, progress)
        path = Path(hf_hub_download(repo_id, name, revision=commit))
    hf_hub_download(repo_id, names[0], revision=revision)
    if len(names) == 1 and "/" not in names[0]:
        return path
    return path.parents[names[-1].count("/")]


def _fetch_blob(repo_id: str, commit: str, name: str, progress: Callable[[str], None]) -> None:
    """Bring one large file into the cache's `blobs` folder; small ones are left to huggingface_hub."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils._headers import build_hf_headers

    url = hf_hub_url(repo_id, name, revision=commit)
    found = get_hf_file_metadata(url)
    if found.etag is None or found.size is None or found.size < SMALL:
        return
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model") / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    blob, partial = blobs / found.etag, blobs / f"{found.etag}.dbtui-partial"
    if blob.exists():
        return
    with partial.open("ab") as file:
        have = file.tell()
        reported = ReportingFile(file, name, have, found.size, progress)
        http_get(
            url,
            reported,  # type: ignore[arg-type]
            resume_size=have,
            headers=build_hf_headers(),
            expected_size=found.size,
        )
    if not _is_intact(partial, found.etag, found.size):
        partial.unlink()
        raise OSError(f"{name} arrived damaged; the next attempt starts it again")
    partial.replace(blob)


def _is_intact(path: Path, etag: str, size: int) -> bool:
    """A large file's etag is its SHA-256; a file whose etag is something else is judged by its size."""
    if path.stat().st_size != size:
        return False
    if len(etag) != 64:
        return True
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == etag


class ReportingFile:
    """A file open for writing that tells, about once a second, how much of the whole has arrived."""

    def __init__(self, file: BinaryIO, name: str, have: int, total: int, progress: Callable[[str], None]) -> None:
        self._file, self._name, self._have, self._total, self._progress = file, name, have, total, progress
        self._reported = 0.0

    def write(self, chunk: bytes) -> int:
        """Write `chunk`, and report if it is time."""
        self._have += len(chunk)
        now = time.monotonic()
        if now - self._reported > SECONDS_BETWEEN_REPORTS:
            self._reported = now
            share = self._have / self._total
            self._progress(f"downloading {self._name}: {share:.0%} of {self._total / 1e9:.2f} GB")
        return self._file.write(chunk)

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()

    def seek(self, position: int) -> int:
        """Move to `position`."""
        return self._file.seek(position)

    def truncate(self) -> int:
        """Cut the file off here."""
        self._have = self._file.tell()
        return self._file.truncate()
