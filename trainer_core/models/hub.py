"""Models from the Hugging Face Hub: only the files that training needs, and clear words when they cannot be had.

An access token is taken from the environment (HF_TOKEN) or from `hf auth login`, never from a configuration.
Code that a repository brings along is never fetched.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from trainer_core.errors import ExitCode, UserError
from trainer_core.models.layout import PICKLE_STEMS, WEIGHT_STEMS
from trainer_core.models.quiet import quiet_imports
from trainer_core.text import safe_text

Progress = Callable[[str], None]
TOKENIZER_FILES = ("vocab.json", "merges.txt")
TAGGER_FILES = ("selected_tags.csv", "model.onnx")
BLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "vocab.txt",
)
CONFIG_FILES = ("model_index.json", "scheduler/scheduler_config.json")
TOKEN = re.compile(r"hf_[A-Za-z0-9]{8,}")


def fetch_model(repo_id: str, revision: str | None, progress: Progress) -> Path:
    """Return the folder, or single file, in the Hub's cache with the model `repo_id`, downloaded if need be.

    Raises a UserError (exit code 4) with the way out: not there, gated, offline, too many requests.
    """
    return _fetch(repo_id, revision, progress, choose_model_files)


def fetch_vae(repo_id: str, progress: Progress) -> Path:
    """Return the folder in the Hub's cache with the VAE `repo_id` (of a VAE alone, or of a whole model)."""
    return _fetch(repo_id, None, progress, choose_vae_files)


def fetch_tokenizer(repo_id: str, progress: Progress) -> Path:
    """Return the folder in the Hub's cache with the tokenizer `repo_id` (of a tokenizer alone, or of a model)."""
    return _fetch(repo_id, None, progress, choose_tokenizer_files)


def fetch_captioner(repo_id: str, progress: Progress) -> Path:
    """Return the folder in the Hub's cache with the BLIP or the WD tagger `repo_id`."""
    return _fetch(repo_id, None, progress, choose_captioner_files)


def choose_model_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that training needs; empty if it holds no model."""
    present = set(names)
    if "model_index.json" not in present and not any(name.startswith("unet/") for name in present):
        single = [name for name in sorted(present) if name.endswith(".safetensors") and "/" not in name]
        return single if len(single) == 1 else []
    chosen = [name for name in CONFIG_FILES if name in present]
    for component in WEIGHT_STEMS:
        chosen += [name for name in (f"{component}/config.json",) if name in present]
        chosen += _weights(present, f"{component}/", component)
    return chosen


def choose_vae_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that hold its VAE; empty if there are none."""
    present = set(names)
    for folder in ("vae/", ""):
        if weights := _weights(present, folder, "vae"):
            return [name for name in (f"{folder}config.json",) if name in present] + weights
    return []


def choose_tokenizer_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that hold its CLIP tokenizer; empty if there are none."""
    present = set(names)
    for folder in ("tokenizer/", ""):
        files = [f"{folder}{name}" for name in TOKENIZER_FILES]
        if present.issuperset(files):
            return files
    return []


def choose_captioner_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that write captions: an ONNX file with its tags, or a BLIP; else none."""
    present = set(names)
    if set(TAGGER_FILES) <= present:
        return list(TAGGER_FILES)
    weights = [name for name in ("model.safetensors", "pytorch_model.bin") if name in present][:1]
    if not weights or not {"config.json", "preprocessor_config.json"} <= present:
        return []
    return [name for name in BLIP_FILES if name in present] + weights


def _weights(present: set[str], folder: str, component: str) -> list[str]:
    """The choice of `layout.component_files`, made on names alone."""
    stem, pickle_stem = folder + WEIGHT_STEMS[component], folder + PICKLE_STEMS[component]
    if f"{stem}.safetensors" in present:
        return [f"{stem}.safetensors"]
    shard = re.compile(re.escape(stem) + r"-\d+-of-\d+\.safetensors")
    if shards := sorted(name for name in present if shard.fullmatch(name)):
        return shards
    names = [f"{stem}.{variant}.safetensors" for variant in ("fp16", "bf16", "non_ema")]
    names += [f"{pickle_stem}{variant}.bin" for variant in ("", ".fp16")]
    return [name for name in names if name in present][:1]


_KINDS = {"choose_tokenizer_files": "CLIP tokenizer", "choose_captioner_files": "BLIP and no WD tagger"}


def _fetch(
    repo_id: str, revision: str | None, progress: Progress, choose: Callable[[Iterable[str]], list[str]]
) -> Path:
    quiet_imports()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    from trainer_core.models.hub_download import download

    # An error of the Hub is one of the HTTP library too (requests or httpx, by version): no network, broken off.
    network_errors: tuple[type[Exception], ...] = (OSError, *HfHubHTTPError.__bases__)
    try:
        progress(f"asking the Hub for {safe_text(repo_id)}")
        found = HfApi().model_info(repo_id, revision=revision, timeout=20)
        names = choose(file.rfilename for file in found.siblings or [])
        if not names:
            kind = _KINDS.get(choose.__name__, "SD 1.x or 2.x model")
            raise _error(repo_id, f"this repository holds no {kind}; check its name on huggingface.co")
        return download(repo_id, revision or "main", found.sha or revision or "main", names, progress)
    except HfHubHTTPError as error:
        raise _http_error(repo_id, revision, error) from error
    except network_errors as error:
        if cached := _cached(repo_id, revision, choose):
            progress(f"the Hub cannot be reached: using {safe_text(repo_id)} from its cache")
            return cached
        raise _offline_error(repo_id, revision, error) from error


def _cached(repo_id: str, revision: str | None, choose: Callable[[Iterable[str]], list[str]]) -> Path | None:
    """Return what an earlier download left in the cache, if it is complete."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repo_id, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        return None
    names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    chosen = choose(names)
    weights = {name.partition("/")[0] for name in chosen if name.endswith((".safetensors", ".bin"))}
    complete = choose is not choose_model_files or set(WEIGHT_STEMS) <= weights or len(chosen) == 1
    if not chosen or not complete:
        return None
    return (
        folder / chosen[0]
        if choose is choose_model_files and "/" not in chosen[0] and len(chosen) == 1
        else folder
    )


def _http_error(repo_id: str, revision: str | None, error: Exception) -> UserError:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/{repo_id}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return _error(repo_id, f"gated: accept its terms at {page}, then run `hf auth login` or set HF_TOKEN")
    if isinstance(error, RevisionNotFoundError):
        return _error(
            repo_id, f"there is no revision {safe_text(revision)}; see {page}/tree/main, or leave it out"
        )
    if isinstance(error, RepositoryNotFoundError) or status in {401, 404}:
        return _error(
            repo_id,
            "neither a file or folder here, nor a public model on the Hub; check the name (for a private one run "
            "`hf auth login` or set HF_TOKEN)",
        )
    if status == 429:
        return _error(repo_id, "the Hub asks to wait (too many requests): try again in some minutes")
    return _error(repo_id, f"the Hub answered {status or without_token(error)}: try again later")


def _offline_error(repo_id: str, revision: str | None, error: Exception) -> UserError:
    pinned = f" --revision {revision}" if revision else ""
    command = f"hf download {repo_id}{pinned}"
    return _error(
        repo_id,
        f"not complete in the Hub's cache, and the Hub cannot be reached ({without_token(error)}). Where "
        f"there is a network, run `{safe_text(command)}` (HF_HUB_OFFLINE unset), or name a model file instead",
    )


def without_token(error: object) -> str:
    """Return an error's first line, safe to show and without any access token."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return safe_text(TOKEN.sub("hf_***", lines[0]), limit=200)


def _error(repo_id: str, problem: str) -> UserError:
    return UserError(f"{safe_text(repo_id)}: {problem}", ExitCode.MODEL)
