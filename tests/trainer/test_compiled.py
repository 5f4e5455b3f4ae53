"""Compiled blocks: the same training under the same names, which nothing about the compiler can end."""

import logging
import shutil
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from trainer_core.config.schema import Config
from trainer_core.errors import UserError
from trainer_core.train import compiled, take_step
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.compiled import has_many_shapes, is_compiled, repeated_blocks
from trainer_core.train.resume import checkpoint_of, restore

SLOW = pytest.mark.slow
FEW = {"max_steps": 2, "workers": 1}
ON = {**FEW, "compile": "on"}
LORA = {"method": {"train": "lora"}, "network": {"rank": 4}}
FUSED = {"memory": {"fused_backward": True}}


@pytest.fixture
def compile_with(monkeypatch: pytest.MonkeyPatch):
    """Return a function that sets what compiles some blocks of the trainings in this test."""

    def use(backend):
        compile_block = partial(nn.Module.compile, backend=backend)
        monkeypatch.setattr(compiled, "repeated_blocks", in_the_middle)
        seam = partial(compiled.compiled_blocks, compile_block=compile_block)
        monkeypatch.setattr(take_step, "compiled_blocks", seam)
        torch._dynamo.reset()

    import torch._dynamo

    monkeypatch.setattr(logging.getLogger("torch.__trace"), "propagate", False)  # thousands of lines for pytest
    yield use
    torch._dynamo.reset()


def in_the_middle(unet):
    """A block of each class: all of them take the compiler several seconds."""
    return [unet.mid_block.resnets[0], unet.mid_block.attentions[0].transformer_blocks[0]]


def codes(recorder):
    return [event["code"] for event in recorder.events if event["kind"] == "warning"]


def graphs() -> int:
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters.values(), other.parameters.values(), strict=True))


SAME = {
    "lora, 8 bits": {**LORA, "memory": {"base_dtype": "int8"}},
    "checkpointed": {"memory": {"gradient_checkpointing": True}},
}


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param(SAME["lora, 8 bits"], id="lora, 8 bits", marks=SLOW),
        pytest.param(SAME["checkpointed"], id="checkpointed"),
    ],
)
def test_a_resumed_compiled_training_is_the_uncompiled_one(tables, make_job, run_job, tmp_path, compile_with):
    """The backend runs what was traced as it is, so every bit is the same."""
    compile_with("eager")
    plain, part, resumed = (make_job(train=train, **tables) for train in (FEW, ON, ON))
    expected, before = [report.loss for report in run_job(plain)], graphs()
    seen = [report.loss for report in run_job(part, 1)]
    save_checkpoint(tmp_path / "state", checkpoint_of(part))
    assert restore(resumed, newest_valid(tmp_path / "state")[0]) == []
    assert seen + [report.loss for report in run_job(resumed)] == expected
    assert same(plain, resumed)
    assert graphs() > before
    assert set(resumed.model.unet.state_dict()) == set(plain.model.unet.state_dict())
    assert drawing_compiles_nothing(resumed)


def drawing_compiles_nothing(job) -> bool:
    """Outside of the steps the blocks are as they were."""
    before, hidden = graphs(), job.conditioning(("a frog",))
    with torch.no_grad():
        job.model.unet.eval()(torch.zeros(1, 4, 24, 8), torch.tensor(1), hidden)
    return graphs() == before and not any(block._compiled_call_impl for block in job.model.unet.modules())


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param(FUSED, id="fused", marks=SLOW),
        pytest.param(LORA, id="lora", marks=SLOW),
        pytest.param({"memory": {"mixed_precision": "bf16", "full_bf16": True}}, id="full_bf16", marks=SLOW),
    ],
)
def test_a_compiled_backward_pass_learns_the_same(tables, make_job, run_job, recorder, compile_with):
    compile_with("aot_eager")
    plain, job = make_job(train=FEW, **tables), make_job(train=ON, events=recorder, **tables)
    tolerance = 2e-2 if "mixed_precision" in tables.get("memory", {}) else 1e-4
    (one, two), (first, second) = run_job(plain), run_job(job)
    assert (first.loss, first.grad_norm) == pytest.approx((one.loss, one.grad_norm), rel=tolerance)
    assert second.loss == pytest.approx(two.loss, rel=tolerance)
    assert codes(recorder) == ["note"]


@pytest.mark.parametrize("tables", [{}, pytest.param(FUSED, marks=SLOW)], ids=["usual", "fused"])
def test_what_cannot_be_compiled_is_a_warning_and_the_training_the_same(
    tables, make_job, run_job, recorder, compile_with
):
    def no_compiler(graph, inputs):
        raise RuntimeError("no C++ \x1b[31mcompiler")

    compile_with(no_compiler)
    plain, job = make_job(train=FEW, **tables), make_job(train=ON, events=recorder, **tables)
    assert [report.loss for report in run_job(plain)] == [report.loss for report in run_job(job)]
    assert same(plain, job)
    assert codes(recorder) == ["note", "not_compiled"]
    text = next(event["text"] for event in recorder.events if event.get("code") == "not_compiled")
    assert "no C++" in text
    assert "\x1b" not in text


def test_a_backward_pass_that_cannot_be_compiled_changes_no_weight_twice(
    make_job, run_job, recorder, compile_with
):
    """It is found out before the pass that updates weights on its way."""

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(context, hidden):
            return hidden.clone()

        @staticmethod
        def backward(context, gradient):
            raise RuntimeError("the backward pass cannot be compiled")

    def backend(graph, inputs):
        return lambda *given: [Fails.apply(each) if each.requires_grad else each for each in graph(*given)]

    compile_with(backend)
    unclipped = {**FUSED, "optimizer": {"max_grad_norm": 0.0}}
    plain, job = make_job(train=FEW, **unclipped), make_job(train=ON, events=recorder, **unclipped)
    assert [report.loss for report in run_job(plain)] == [report.loss for report in run_job(job)]
    assert same(plain, job)
    assert codes(recorder) == ["note", "not_compiled"]


def test_without_a_compiler_in_torch_nothing_is_compiled(make_job, run_job, recorder, monkeypatch):
    def fail():
        raise ImportError("torch was built without it")

    monkeypatch.setattr(compiled, "_allow_variants", fail)
    job = make_job(train=ON, events=recorder)
    assert len(run_job(job, 1)) == 1
    assert codes(recorder) == ["not_compiled"]


def test_an_error_that_is_not_the_compilers_ends_the_training_all_the_same(make_job, run_job, compile_with):
    compile_with("eager")
    job = make_job(train=ON)
    job.model.unet.conv_in.register_forward_hook(lambda *_: (_ for _ in ()).throw(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        run_job(job)


def a_config(steps: int = 5000, **tables):
    return Config.model_validate({"schema": 1, **tables}), torch.device("cuda"), steps


def test_auto_compiles_where_it_pays():
    assert is_compiled(*a_config())
    assert not is_compiled(*a_config(steps=500))
    assert not is_compiled(a_config()[0], torch.device("cpu"), 5000)
    assert is_compiled(*a_config(steps=1, train={"compile": "on"}))
    assert not is_compiled(*a_config(train={"compile": "off"}))
    assert not is_compiled(*a_config(method={"train": "lora"}, network={"dropout": 0.1}))


def test_on_is_refused_beside_what_takes_the_blocks_to_pieces(tmp_path):
    from trainer_core.config.reader import parse_config

    text = 'schema = 1\n[train]\ncompile = "on"\n[method]\ntrain = "lora"\n[network]\nrank_dropout = 0.1\n'
    with pytest.raises(UserError, match=r"network.rank_dropout .* remove one of them"):
        parse_config(text, "a file", folder=tmp_path)


def test_few_shapes_get_code_of_their_own_and_many_one_for_all(make_job):
    job = make_job(reg=False, train={**FEW, "batch_size": 4})  # 10 pictures of one shape: 4, 4, 2
    assert not has_many_shapes(job.config, job.samples)
    order = replace(job.samples.order, buckets={(64, 64): range(4), (64, 128): range(6)})
    assert has_many_shapes(job.config, replace(job.samples, order=order))
    text = job.config.text_encoder.model_copy(update={"no_token_padding": True})
    assert has_many_shapes(job.config.model_copy(update={"text_encoder": text}), job.samples)


def test_the_blocks_are_found_by_what_diffusers_calls_them(make_job):
    unet = make_job().model.unet
    found = repeated_blocks(unet)
    assert {type(block).__name__ for block in found} == set(compiled.BLOCKS) >= set(unet._repeated_blocks)
    assert len(found) == 16 + 22  # as many as in the real U-Net of SD 1.x


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_machine_code_learns_the_same(make_job, run_job, recorder, monkeypatch):
    job = make_job(train=ON, events=recorder)
    monkeypatch.setattr(compiled, "repeated_blocks", in_the_middle)
    expected = [report.loss for report in run_job(make_job(train=FEW))]
    assert [report.loss for report in run_job(job)] == pytest.approx(expected, rel=1e-4)
    assert codes(recorder) == ["note"]
