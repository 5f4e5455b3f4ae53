"""Keeps the chatter of the large libraries away from the person."""

import logging
import os
import warnings

NOISY = ("transformers", "diffusers", "accelerate", "bitsandbytes", "xformers", "huggingface_hub", "torch.utils")


def quiet_imports() -> None:
    """Silence what the libraries print when they are imported and used; call it before the first import.

    Errors still come as exceptions; what a person must know, the project says in its own words. Code that a Hub
    repository brings along is never run. Nothing phones home.
    """
    os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
    os.environ["DIFFUSERS_VERBOSITY"] = "error"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["TRANSFORMERS_NO_ADVISORY_WARNINGS"] = "1"
    os.environ["HF_HUB_VERBOSITY"] = "error"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["BITSANDBYTES_NOWELCOME"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in NOISY:
        warnings.filterwarnings("ignore", module=name.replace(".", r"\."))
