"""Too little memory: a step in parts is the same step, and where not even one picture fits, nothing is lost."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from trainer_core.data.batches import Batch
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.train.loop import train
from trainer_core.train.out_of_memory import Portions, advice, is_out_of_memory
from trainer_core.train.outputs import Outputs
from trainer_core.train.passes import Passes, parts_of

TOLERANCE = 2e-6
"""Of the gradient's norm: what another order of float32 additions changes, at 128 x 128 pixels."""
FOUR = {"max_steps": 3, "batch_size": 4, "workers": 1}


@contextmanager
def small_memory(job, most: int, *, in_backward: bool = False) -> Iterator[list[int]]:
    """Let a pass of more than `most` samples through the U-Net fail; yield the sizes that were tried."""
    tried: list[int] = []

    def fail(module, inputs, output=None):
        if not module.training:
            return
        count = len(inputs[0])
        tried.append(count)
        if count > most and not in_backward:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if count > most:
            output[0].register_hook(lambda gradient: fail_late())

    def fail_late():
        # The last block has its gradients by now, the first does not.
        job.model.unet.down_blocks[0].resnets[0].conv1.weight.register_hook(raise_once)

    def raise_once(gradient):
        if tried[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory, in the backward pass")

    unet = job.model.unet
    handle = unet.register_forward_hook(fail) if in_backward else unet.register_forward_pre_hook(fail)
    try:
        yield tried
    finally:
        handle.remove()


def first_step(job) -> tuple[float, torch.Tensor]:
    """Return the loss of a job's first step and all its gradients in one vector."""
    passes = Passes(job)
    computed = passes.of_step(0, job.loader.step(0))
    gradients = [parameter.grad.flatten() for parameter in job.parameters.values()]
    passes.drop_gradients()
    return float(computed.loss), torch.cat(gradients)


LORA = {
    "method": {"train": "lora"},
    "network": {"rank": 4, "conv_rank": 2, "dropout": 0.3, "rank_dropout": 0.3, "module_dropout": 0.3},
}
NOISE = {"noise_offset": 0.1, "multires_noise_iterations": 2, "ip_noise_gamma": 0.1, "min_snr_gamma": 5.0}
CASES = {
    "lora": {**LORA, "memory": {"gradient_checkpointing": True}},
    "everything random": {
        "train": {**FOUR, "gradient_accumulation": 2},
        "loss": NOISE,
        "dataset": {"cache_latents": "off", "color_aug": 0.3, "flip_aug": True, "shuffle_caption": True},
        "text_encoder": {"no_token_padding": True},
    },
}


@pytest.mark.row(22)
@pytest.mark.parametrize("case", CASES)
def test_parts_have_the_gradient_of_the_whole(case, make_job, recorder):
    job = make_job(side=128, events=recorder, **{"train": FOUR, **CASES[case]})
    loss, gradient = first_step(job)
    with small_memory(job, 1) as tried:
        loss_of_parts, gradient_of_parts = first_step(job)
    assert 1 in tried
    assert max(tried) == 4
    assert loss_of_parts == pytest.approx(loss, rel=1e-6)
    assert float((gradient_of_parts - gradient).norm() / gradient.norm()) < TOLERANCE
    told = [event["size"] for event in recorder.events if event.get("code") == "out_of_memory"]
    assert told == [2, 1]


def test_gradients_of_a_pass_that_failed_on_its_way_back_are_dropped(make_job):
    job = make_job(side=128, train={**FOUR, "gradient_accumulation": 2})
    loss, gradient = first_step(job)
    with small_memory(job, 2, in_backward=True) as tried:
        loss_of_parts, gradient_of_parts = first_step(job)
    assert tried[:3] == [4, 2, 2]
    assert loss_of_parts == pytest.approx(loss, rel=1e-6)
    assert float((gradient_of_parts - gradient).norm() / gradient.norm()) < TOLERANCE


def test_tensors_of_the_failed_pass_are_gone_before_the_next(make_job):
    job = make_job(train=FOUR)
    failed: list[weakref.ref] = []
    alive: list[bool] = []

    def watch(module, inputs):
        alive.extend(reference() is not None for reference in failed)
        if len(inputs[0]) == 4:
            failed.append(weakref.ref(inputs[0]))
            raise torch.OutOfMemoryError("CUDA out of memory")

    job.model.unet.register_forward_pre_hook(watch)
    gc.disable()  # no cycle may hold them either
    try:
        Passes(job).of_step(0, job.loader.step(0))
    finally:
        gc.enable()
    assert alive
    assert not any(alive)


def test_the_smaller_size_stays_for_its_bucket_alone(make_job, recorder):
    job = make_job(side=128, events=recorder, train=FOUR, reg=False)
    (square,) = job.loader.step(0)
    wide = Batch(square.items, square.captions, tuple(tensor[:, :, :8] for tensor in square.tensors))
    passes, tried = Passes(job), []

    def fail(module, inputs):
        tried.append(tuple(inputs[0].shape[::2]))
        if inputs[0].numel() > 2 * 4 * 16 * 16:
            raise torch.OutOfMemoryError("CUDA out of memory")

    job.model.unet.register_forward_pre_hook(fail)
    for step in (0, 1):
        passes.of_step(step, [square, wide])
        passes.drop_gradients()
    assert tried == [(4, 16), (2, 16), (2, 16), (4, 8), (2, 16), (2, 16), (4, 8)]
    assert passes.most == {(16, 16): 2}
    (told,) = (event for event in recorder.events if event["kind"] == "warning")
    assert (told["code"], told["step"], told["size"]) == ("out_of_memory", 0, 2)
    assert "not enough memory for 4 pictures at once" in told["text"]


@pytest.mark.row(23)
def test_a_single_picture_that_does_not_fit_ends_the_training_with_its_weights_whole(make_job, recorder):
    job = make_job(events=recorder, train=FOUR)
    with small_memory(job, 0) as tried, pytest.raises(UserError) as caught:
        train(job, lambda report: None, lambda: True)
    assert tried == [4, 2, 1]
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert "Step 1:" in caught.value.problems[0]
    assert "memory.gradient_checkpointing = true" in caught.value.problems[0]
    assert caught.value.__context__ is None  # else its frames would hold the tensors during the save
    assert not job.in_update
    assert all(parameter.grad is None for parameter in job.parameters.values())


def test_with_auto_it_steps_down_as_far_as_needed_says_so_and_learns_the_same(make_job, run_job, recorder):
    tables = {"side": 128, "train": {**FOUR, "batch_size": 2, "max_steps": 2}}
    plain = [report.loss for report in run_job(make_job(**tables))]
    job = make_job(events=recorder, memory={"auto": True}, **tables)
    needed = ["gradient_checkpointing", "fused_backward"]

    def fail(module, inputs):
        if module.training and not all(getattr(job.config.memory, name) for name in needed):
            raise torch.OutOfMemoryError("CUDA out of memory")

    job.model.unet.register_forward_pre_hook(fail)
    assert [report.loss for report in run_job(job)] == pytest.approx(plain, abs=2e-6)
    told = [(event["code"], event.get("size")) for event in recorder.events if event["kind"] == "warning"]
    assert told == [("out_of_memory", 1), ("memory_stepped_down", None)] * 2
    assert job.model.unet.is_gradient_checkpointing
    assert job.config.memory.attention == "sdpa"


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
def test_with_auto_it_ends_where_nothing_more_helps(lora, make_job, recorder):
    method = {"method": {"train": "lora"}} if lora else {}
    memory = {"auto": True, "gradient_checkpointing": True}
    job = make_job(events=recorder, memory=memory, train={**FOUR, "batch_size": 1}, **method)
    with small_memory(job, 0), pytest.raises(UserError, match="not enough memory for a single picture") as caught:
        train(job, lambda report: None, lambda: True)
    told = [event["text"] for event in recorder.events if event["kind"] == "warning"]
    settings = (
        ['memory.attention = "sliced"']
        if lora
        else ["memory.fused_backward = true", 'memory.attention = "sliced"']
    )
    assert [setting in text for setting, text in zip(settings, told, strict=True)] == [True] * len(settings)
    assert not any(setting in caught.value.problems[0] for setting in settings)
    assert caught.value.__context__ is None
    assert all(parameter.grad is None for parameter in job.parameters.values())


def test_an_update_that_does_not_fit_says_so(make_job, run_job, monkeypatch):
    job = make_job(train=FOUR)
    run_job(job, 1)

    def fail(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(job.optimizer, "step", fail)
    with pytest.raises(UserError, match="Step 2: there was not enough memory for the optimizer") as caught:
        run_job(job)
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
    assert job.in_update  # so the state is not saved
    assert job.step == 1


@pytest.mark.row(24)
def test_a_preview_that_does_not_fit_is_left_out_and_the_training_is_as_it_was(
    make_job, run_job, recorder, tmp_path
):
    prompts = [{"prompt": "sls frog", "steps": 1, "width": side, "height": 64} for side in (64, 128, 64, 192)]
    tables = {"train": {"max_steps": 3, "workers": 1}, "sample": {"prompts": prompts}}
    plain, small = make_job(**tables), make_job(events=recorder, **tables)
    failed: list[weakref.ref] = []

    def fail(module, inputs):
        if not module.training and inputs[0].shape[-1] > 8:
            failed.append(weakref.ref(inputs[0]))
            raise torch.OutOfMemoryError("CUDA out of memory")

    small.model.unet.register_forward_pre_hook(fail)
    run_job(small, 1)
    outputs = Outputs(small, RunDirectory(tmp_path / "run"), recorder, in_loop=True)
    assert outputs.draw_previews() == 2
    assert len(failed) == 1  # what is larger is not tried
    assert failed[0]() is None
    kinds = [event["kind"] for event in recorder.events[-5:]]
    assert kinds == ["phase", "sample", "sample", "phase", "warning"]
    assert recorder.events[-2]["name"] == "train"
    assert recorder.events[-1]["code"] == "preview_out_of_memory"
    assert "2 of the previews" in recorder.events[-1]["text"]
    rest = [report.loss for report in run_job(small)]
    assert [report.loss for report in run_job(plain)][1:] == rest


def test_texts_are_encoded_fewer_at_once_where_they_do_not_fit(make_job):
    tables = {"text_encoder": {"train": False}}
    plain = make_job(**tables).conditioning.embeddings
    tried: list[int] = []
    job = make_job(**tables)
    job.conditioning.embeddings = None

    def fail(module, inputs):
        tried.append(1)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    job.model.text_encoder.register_forward_pre_hook(fail)
    job.conditioning.freeze()
    assert len(tried) == 3  # both, then one and one
    for text, hidden in job.conditioning.embeddings.items():
        assert torch.allclose(hidden, plain[text], atol=1e-5)


def test_other_errors_are_not_taken_for_it(make_job):
    job = make_job(train=FOUR)

    def fail(module, inputs):
        raise RuntimeError("a shape does not fit")

    job.model.unet.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="a shape does not fit"):
        Passes(job).of_step(0, job.loader.step(0))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a primitive descriptor for a convolution"), False),
        (RuntimeError("shape mismatch"), False),
        (OSError(28, "No space left on device"), False),
        (UserError("out of memory", ExitCode.OUT_OF_MEMORY), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize("most", range(1, 8))
def test_parts_cover_everything_once_and_are_even(most):
    for count in range(1, 20):
        rows = [list(range(count))[part] for part in parts_of(count, most)]
        assert [row for part in rows for row in part] == list(range(count))
        assert max(map(len, rows)) <= most
        assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_portions_are_halved_for_good():
    tried, told = [], []

    def work(portion):
        tried.append(len(portion))
        if len(portion) > 2:
            raise torch.OutOfMemoryError("no")
        return sum(portion)

    portions = Portions(8, lambda at_once, reason: told.append((at_once, reason)))
    assert list(portions.of([1, 2, 3, 4, 5], work)) == [([1, 2], 3), ([3, 4], 7), ([5], 5)]
    assert tried == [5, 3, 2, 2, 1]
    assert told == [(3, "no"), (2, "no")]
    assert [result for _, result in portions.of([1, 2, 3], work)] == [3, 3]


def test_one_that_does_not_fit_is_an_error():
    def work(portion):
        raise torch.OutOfMemoryError("no")

    with pytest.raises(torch.OutOfMemoryError):
        list(Portions(4).of([1, 2, 3], work))


def test_advice_names_only_what_is_not_chosen_and_what_is_possible(make_job):
    from trainer_core.config.schema import Config

    plain = Config.model_validate({"schema": 1})
    assert advice(plain)[0] == "memory.gradient_checkpointing = true"
    lean = Config.model_validate(
        {
            "schema": 1,
            "memory": {"gradient_checkpointing": True, "mixed_precision": "bf16", "full_bf16": True},
            "text_encoder": {"train": False},
            "optimizer": {"type": "adamw8bit"},
        }
    )
    assert advice(lean) == [
        "memory.fused_backward = true",
        'method.train = "lora"',
        'memory.attention = "sliced"',
        "a dataset.resolution below 512 x 512",
    ]


def test_a_model_that_main_memory_has_no_room_for_is_left_out_while_a_state_stands(
    make_job, recorder, monkeypatch, tmp_path
):
    job = make_job(events=recorder)
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder, in_loop=True)

    def fail(*arguments):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("trainer_core.train.outputs.save_result", fail)
    job.step = 3
    assert outputs.save_model_on_the_way("frog") == []
    assert outputs.states.saver.standing.name == "000003"  # a state is saved first
    assert recorder.events[-1]["name"] == "train"
    (told,) = (event for event in recorder.events if event["kind"] == "warning")
    assert told["code"] == "model_not_saved"
    assert "not enough main memory" in told["text"]
    assert "state of step 3 stands" in told["text"]
    assert outputs.save_model_on_the_way("frog") == []
    with pytest.raises(UserError, match="failure number 3") as caught:
        outputs.save_model_on_the_way("frog")
    assert caught.value.code is ExitCode.OUT_OF_MEMORY
