"""Full-size models of both families, held to diffusers' own loader bit for bit. Run with `pytest -m slow`.

Each needs about 13 GB of memory and 4 GB of disk; the weights are random, the names and shapes are the real ones.
"""

import gc

import pytest
import torch

from trainer_core.config.schema import Model as ModelSettings
from trainer_core.models import modules
from trainer_core.models.configs import bundled_config, read_configs
from trainer_core.models.family import COMPONENTS, family_named
from trainer_core.models.load import load_model
from trainer_core.models.model import StableDiffusion
from trainer_core.models.save import save_model
from trainer_core.models.sniff import ModelInfo

KINDS = {"sd1": ("sd1", "epsilon"), "sd2-base": ("sd2", "epsilon"), "sd2-v": ("sd2", "v")}
POOL = 60_000_000  # more than any tensor needs


@pytest.fixture
def pool():
    return torch.randn(POOL, generator=torch.Generator().manual_seed(0)).half().float()


def build(kind, pool):
    """Fill a full-size model from a pool of random numbers: each tensor starts at another place."""
    family_name, prediction = KINDS[kind]
    configs, place = read_configs(kind), 0

    def read(shape):
        nonlocal place
        count = shape.numel()
        place = (place + 7919) % (POOL - count)
        return pool[place : place + count].clone().reshape(shape)

    built = {}
    for part in COMPONENTS:
        module = modules.build_empty(part, configs[part])
        names, state = modules.tensor_names(part, module), module.state_dict()
        modules.fill(part, module, lambda name, names=names, state=state: read(state[names[name]].shape))
        built[part] = module
    info = ModelInfo(kind, None, "safetensors", family_name, prediction, "its builder")
    return StableDiffusion(
        info=info,
        family=family_named(family_name),
        prediction=prediction,
        scheduler_config=configs["scheduler"],
        dtypes=dict.fromkeys(COMPONENTS, torch.float16),
        **built,
    )


def assert_same(one, other):
    for part in COMPONENTS:
        a, b = getattr(one, part).state_dict(), getattr(other, part).state_dict()
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name].float()), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_single_file_and_folder_at_full_size(kind, pool, tmp_path):
    from diffusers import StableDiffusionPipeline

    model = build(kind, pool)
    del pool
    file = save_model(model, tmp_path / "model").paths[0]
    config = str(bundled_config(kind, tmp_path))
    pipeline = StableDiffusionPipeline.from_single_file(str(file), config=config, local_files_only=True)
    assert_same(model, pipeline)
    del pipeline
    gc.collect()

    loaded = load_model(ModelSettings(base=str(file)))
    assert loaded.prediction == KINDS[kind][1]
    assert_same(model, loaded)
    before = names_and_shapes(file)
    folder = save_model(loaded, tmp_path / "folder", format="diffusers").paths[0]
    del loaded
    gc.collect()
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, torch_dtype=torch.float32, use_safetensors=True
    )
    assert_same(model, pipeline)
    del pipeline, model
    gc.collect()

    back = save_model(load_model(ModelSettings(base=str(folder))), tmp_path / "back", format="safetensors").paths[
        0
    ]
    assert names_and_shapes(back) == before
    assert same_bytes(file, back)


def names_and_shapes(path):
    from trainer_core.models.header import read_header

    return {name: (info.dtype, info.shape) for name, info in read_header(path).tensors.items()}


def same_bytes(one, other):
    from safetensors import safe_open

    with safe_open(one, framework="pt") as a, safe_open(other, framework="pt") as b:
        return all(torch.equal(a.get_tensor(name), b.get_tensor(name)) for name in a.keys())  # noqa: SIM118
