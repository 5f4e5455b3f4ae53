"""Whatever the header of a model file or the JSON of a Diffusers folder says: it is told, quickly."""

import json
import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import ANYTHING, HOSTILE, TEXTS
from tests.fuzz.profile import tried
from tests.fuzz.watched import bounded, check_refusal, nothing_outside
from trainer_core.config.schema import Model
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.header import ITEM_BYTES, read_header
from trainer_core.models.layout import CROSS_ATTENTION, FIRST_CONVOLUTION, LAST_CONVOLUTION
from trainer_core.models.lora.inspect import check_lora_file
from trainer_core.models.preflight import check_model
from trainer_core.models.sniff import V_BIAS
from trainer_core.text import safe_text

SIDES = st.integers(0, 4) | st.sampled_from(
    [320, 768, 1024, 2**31, 2**62, 2**63, -1, 10**30, True, 1.5, "4", None]
)
SHAPES = st.lists(SIDES, max_size=4) | st.lists(st.just(2**62), min_size=300, max_size=400) | ANYTHING
_PARTS = [
    CROSS_ATTENTION, FIRST_CONVOLUTION, LAST_CONVOLUTION, V_BIAS, "v_pred", "emb_params", "", "__metadata__",
    "cond_stage_model.x", "first_stage_model.x", "model_ema.x", "lora_unet_x.lora_down.weight",
    "lora_unet_x.lora_up.weight", "lora_unet_x.alpha",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(_PARTS),
    TEXTS,
)
TYPES = st.sampled_from([*ITEM_BYTES, "F4", "", None, 3])
METADATA = st.one_of(
    st.dictionaries(
        st.sampled_from(
            ["modelspec.prediction_type", "modelspec.architecture", "ss_base_model_version", "ss_tag_frequency"]
        )
        | TEXTS,
        TEXTS,
        max_size=4,
    ),
    ANYTHING,
)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """A safetensors file with a header that fits what follows, mostly."""
    entries, at = {}, 0
    for name in draw(st.lists(NAMES, max_size=6, unique=True)):
        kind = draw(TYPES)
        shape = draw(SHAPES)
        size = _size(kind, shape) if draw(st.integers(0, 5)) else draw(st.integers(-1, 99) | st.just(2**63))
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        if draw(st.integers(0, 9)) == 0:
            entries[name] = draw(ANYTHING)
        at += max(0, size)
    if draw(st.booleans()):
        entries["__metadata__"] = draw(METADATA)
    text = json.dumps(entries, default=str).encode()
    data = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * min(at, 2**16)
    content = struct.pack("<Q", len(text)) + text + data
    return (
        content
        if draw(st.integers(0, 5))
        else content[: draw(st.integers(0, len(content)))] + draw(st.binary(max_size=9))
    )


def _size(kind, shape) -> int:
    is_right = isinstance(shape, list) and all(type(side) is int and 0 <= side < 2000 for side in shape)
    return ITEM_BYTES.get(kind, 1) * math.prod(shape) if is_right else 8


@pytest.mark.row(44, 48)
@tried(60, 2000)
def test_any_header(profile, tmp_path):
    file = tmp_path / "some.safetensors"

    @profile
    @given(headers() | st.binary(max_size=200))
    def look(content):
        file.write_bytes(content)
        with nothing_outside(tmp_path), bounded():
            _, errors = check_model(Model(base=str(file)))
            errors += check_lora_file(file, None)
            try:
                header = read_header(file)
            except UserError as error:
                errors.append(error)
            else:
                assert all(safe_text(value) is not None for value in header.metadata.values())
        for error in errors:
            check_refusal(error, ExitCode.MODEL)

    look()


INDEX = st.fixed_dictionaries(
    {},
    optional={
        "_class_name": TEXTS | ANYTHING | st.just("StableDiffusionPipeline"),
        "unet": ANYTHING | st.sampled_from([["diffusers", "X"], [["a"], "b"], [{}, 1], ["../evil", "X"], []]),
        "vae": ANYTHING,
    },
)
SCALARS = ANYTHING | st.sampled_from([4, 768, 1024, 10**400, [768, 1024], {"a": 1}, math.nan])
_NAMES_OF_CONFIGS = [
    "in_channels", "cross_attention_dim", "use_linear_projection", "num_hidden_layers", "vocab_size",
    "scaling_factor", "prediction_type", "_class_name",
]  # fmt: skip
CONFIGS = st.dictionaries(
    st.sampled_from(_NAMES_OF_CONFIGS),
    SCALARS,
    max_size=4,
)


@pytest.mark.row(44, 50)
@tried(40, 1000)
def test_any_diffusers_folder(profile, tmp_path):
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        (tmp_path / part).mkdir()
        (tmp_path / part / f"{name}.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (tmp_path / "scheduler").mkdir()

    @profile
    @given(INDEX, CONFIGS, CONFIGS, CONFIGS, st.text(max_size=9) | st.sampled_from(HOSTILE))
    def look(index, unet, other, scheduler, noise):
        (tmp_path / "model_index.json").write_text(json.dumps(index, default=str))
        (tmp_path / "unet" / "config.json").write_text(json.dumps(unet, default=str))
        (tmp_path / "vae" / "config.json").write_text(json.dumps(other, default=str))
        (tmp_path / "text_encoder" / "config.json").write_text(json.dumps(other, default=str))
        (tmp_path / "scheduler" / "scheduler_config.json").write_text(
            noise if noise[:1] == "x" else json.dumps(scheduler, default=str)
        )
        with nothing_outside(tmp_path), bounded():
            _, errors = check_model(Model(base=str(tmp_path)))
        for error in errors:
            check_refusal(error, ExitCode.MODEL)

    look()


def _header(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


ENDLESS = {
    "a shape of many sides": '{"a":{"dtype":"F32","shape":[%s1],"data_offsets":[0,4]}}' % (f"{2**62}," * 100_000),
    "a shape too large for a number": '{"a":{"dtype":"F32","shape":[%s1],"data_offsets":[0,4]}}'
    % (f"{2**62}," * 400),
    "lists in lists": '{"__metadata__":' + "[" * 200_000 + "]" * 200_000 + "}",
    "many lists": '{"__metadata__":[' + "[]," * 95_000 + "[]]}",
    "very many lists": '{"__metadata__":[' + "[]," * 5_000_000 + "[]]}",
    "many names": "{" + ",".join(f'"{n}":0' for n in range(190_000)) + "}",
    "many texts": '{"__metadata__":[' + '"ab",' * 190_000 + '""]}',
    "a long text": '{"__metadata__":{"ss_tag_frequency":"🐸' + "a" * 16_000_000 + '"}}',
}
"""Headers made to take long, or much memory; the last one is of a real kind."""


@pytest.mark.row(48)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "many names" else []) for name in ENDLESS]
)
def test_a_header_that_is_made_to_take_long(tmp_path, name):
    file = tmp_path / "some.safetensors"
    file.write_bytes(_header(ENDLESS[name]))
    with bounded(), suppress(UserError):
        read_header(file)


def test_a_yaml_that_is_made_to_take_long(tmp_path):
    file = tmp_path / "some.ckpt"
    file.write_bytes(b"PK\x03\x04")
    with (tmp_path / "some.yaml").open("wb") as yaml:
        yaml.write(b"\n" * 2**16)
        yaml.truncate(2**30)
    with bounded():
        check_model(Model(base=str(file)))
