"""Tiny models, built and saved once for all tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.models.load import load_model
from trainer_core.models.model import StableDiffusion
from trainer_core.models.quiet import quiet_imports
from trainer_core.models.save import save_model
from trainer_core.models.tiny import build_tiny

KINDS = {"sd1": ("sd1", "epsilon"), "sd2-base": ("sd2", "epsilon"), "sd2-v": ("sd2", "v")}


@pytest.fixture(autouse=True, scope="session")
def quiet():
    """One thread, here and in the processes that tests start: tensors this small are not worth a second."""
    import torch

    quiet_imports()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, StableDiffusion]:
    """A tiny model of each kind. Tests must not change them."""
    return {kind: build_tiny(family, prediction) for kind, (family, prediction) in KINDS.items()}


@pytest.fixture(scope="session")
def saved(tiny_models, tmp_path_factory) -> Callable[[str, str], Path]:
    """Return the path of a tiny model of some kind in some format, saved on first use. Read only."""
    folder, done = tmp_path_factory.mktemp("models"), {}

    def path(kind: str = "sd1", form: str = "safetensors") -> Path:
        if (kind, form) not in done:
            stem = folder / f"{form}-{kind}"
            done[kind, form] = save_model(tiny_models[kind], stem, format=form).paths[0]
        return done[kind, form]

    return path


@pytest.fixture(scope="session")
def load() -> Callable[..., StableDiffusion]:
    def load(path: Path | str, **settings: str) -> StableDiffusion:
        return load_model(ModelSettings.model_validate({"base": str(path), **settings}))

    return load


@pytest.fixture(scope="session")
def same_weights() -> Callable[..., bool]:
    """Compare two models, or a model and a diffusers pipeline, component by component, bit for bit."""

    def same(one, other, components=("unet", "vae", "text_encoder")) -> bool:
        import torch

        for component in components:
            a, b = (getattr(model, component).state_dict() for model in (one, other))
            if a.keys() != b.keys() or not a:
                return False
            if not all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a):
                return False
        return True

    return same
