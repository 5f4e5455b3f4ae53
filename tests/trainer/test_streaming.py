"""Weights, activations and optimizer state in main memory: the same training, less on the device.

The CPU stands in for the device, with copies for the way there (memory/copy_bus): everything else is the code that
a GPU runs, where tests/trainer/test_gpu.py trains with it too.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from trainer_core.config.schema import Prompt
from trainer_core.memory.copy_bus import CopyBus
from trainer_core.models.quantized import quantize
from trainer_core.models.streamed import StreamedConv2d, StreamedLinear, stream, streamed_bytes
from trainer_core.train import job as jobs
from trainer_core.train import streaming
from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.ladder import step_down
from trainer_core.train.preview import draw
from trainer_core.train.resume import checkpoint_of, restore

SLOW = pytest.mark.slow
FEW = {"max_steps": 2, "workers": 1}
LORA = {"method": {"train": "lora"}, "network": {"rank": 4}, "optimizer": {"learning_rate": 1e-2}}
FULL_BF16 = {"mixed_precision": "bf16", "full_bf16": True}


class Noting(CopyBus):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def load(self, slot, kept):
        self.calls.append(("load", slot.name))
        super().load(slot, kept)

    def ready(self, slot):
        self.calls.append(("ready", slot.name))

    def used(self, slot):
        self.calls.append(("used", slot.name))


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let main memory be elsewhere, and every tensor be worth the way."""
    monkeypatch.setattr(jobs, "bus_for", lambda *_: CopyBus())
    monkeypatch.setattr(streaming, "LEAST", 0)
    return


def small(*, eight_bit: bool = False) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 8, 3, stride=2, groups=2, bias=False)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(72, 5), nn.Linear(5, 4)).requires_grad_(False)
    if eight_bit:
        quantize(model, "int8", torch.float32)
    return model


@pytest.mark.parametrize("eight_bit", [False, True])
def test_layers_compute_the_same_bit_for_bit(eight_bit: bool):
    whole, streamed = small(eight_bit=eight_bit), small(eight_bit=eight_bit)
    stream(streamed, CopyBus(), beside=("5",))
    assert [type(each).__name__.removesuffix("Of8Bits") for each in (streamed[0], streamed[4])] == [
        StreamedConv2d.__name__,
        StreamedLinear.__name__,
    ]
    assert streamed_bytes(streamed) == (216 + 288 + 360) * (1 if eight_bit else 4)
    assert torch.equal(whole[4].weight, streamed[4].weight)
    for _ in range(2):  # the second time what comes next is known
        one, other = (torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8).requires_grad_() for _ in range(2))
        before, after = whole(one), streamed(other)
        assert torch.equal(before, after)
        before.square().sum().backward()
        after.square().sum().backward()
        assert torch.equal(one.grad, other.grad)


def test_the_next_weight_comes_while_one_is_in_use_and_never_over_it():
    bus, model = Noting(), small()
    stream(model, bus)
    for _ in range(2):
        bus.calls.clear()
        model(torch.zeros(1, 3, 8, 8, requires_grad=True)).sum().backward()
    one, other = "streamed_in_use", "streamed_next"
    if bus.calls[1] != ("ready", one):
        one, other = other, one
    assert bus.calls == [
        ("used", one),  # the first layer, which the backward pass before used last
        ("ready", one),
        ("used", one),  # the second, which is there from then too
        ("ready", other),
        ("load", one),  # the third, once the first was used
        ("used", other),
        ("ready", one),
        ("load", other),  # the fourth
        ("used", one),
        ("ready", other),
        ("used", other),  # the fourth again: the way back begins, and the third is there still
        ("ready", other),
        ("used", other),
        ("ready", one),
        ("load", other),  # the second
        ("used", one),
        ("ready", other),
        ("load", one),  # the first
        ("used", other),
        ("ready", one),
    ]


def test_another_order_than_before_is_computed_right():
    model = small()
    streamed = small()
    stream(streamed, CopyBus())
    picture = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)
    for through in (lambda each: each(picture), lambda each: each[5](each[4](torch.ones(1, 72))), None):
        if through is None:
            assert torch.equal(streamed(picture), model(picture))
        else:
            assert torch.equal(through(streamed), through(model))


CHECKPOINTED = {"gradient_checkpointing": True}
SAME = {
    "activations": ({}, "stream_activations"),
    "all": (
        {**LORA, "memory": {"mixed_precision": "bf16", **CHECKPOINTED}},
        "stream_weights stream_activations stream_state",
    ),
}
SAME_TOO = {
    "lora": ({**LORA, "memory": CHECKPOINTED}, "stream_weights"),
    "lora kept": (LORA, "stream_weights"),
    "lora in 8 bits": ({**LORA, "memory": {"base_dtype": "int8"}}, "stream_weights"),
    "lora fused": ({**LORA, "memory": {"fused_backward": True}}, "stream_weights stream_state"),
    "activations twice": ({"memory": {"fused_backward": True}}, "stream_activations"),
    "activations checkpointed": ({"memory": CHECKPOINTED}, "stream_activations"),
    "state": ({}, "stream_state"),
    "state of 16 bits": ({"memory": FULL_BF16}, "stream_state"),
}


@pytest.mark.parametrize(
    ("tables", "asked"),
    [
        *(pytest.param(*values, id=name) for name, values in SAME.items()),
        *(pytest.param(*values, id=name, marks=SLOW) for name, values in SAME_TOO.items()),
    ],
)
def test_losses_and_weights_are_bit_for_bit_the_same(tables, asked, make_job, run_job, as_on_a_gpu):
    memory = tables.get("memory", {})
    plain, streamed = (
        make_job(train=FEW, **{**tables, "memory": {**memory, **more}})
        for more in ({}, dict.fromkeys(asked.split(), True))
    )
    expected = [(report.loss, report.grad_norm) for report in run_job(plain)]
    assert [(report.loss, report.grad_norm) for report in run_job(streamed)] == expected
    for one, other in zip(plain.parameters.values(), streamed.parameters.values(), strict=True):
        assert torch.equal(one, other)


def test_a_resumed_training_goes_on_and_a_preview_is_drawn(make_job, run_job, as_on_a_gpu, tmp_path):
    tables = {**LORA, "train": FEW, "memory": {"stream_weights": True, "stream_state": True}}
    whole, part, resumed = (make_job(**tables) for _ in range(3))
    expected = [report.loss for report in run_job(whole)]
    seen = [report.loss for report in run_job(part, 1)]
    prompt, autocast = Prompt(prompt="a frog", steps=1), part.precision.autocast(part.device)
    assert draw(part.model, prompt, (64, 64), part.device, clip_skip=None, autocast=autocast).size == (64, 64)
    save_checkpoint(tmp_path, checkpoint_of(part))
    assert restore(resumed, newest_valid(tmp_path)[0]) == []
    assert seen + [report.loss for report in run_job(resumed)] == expected


def test_memory_auto_goes_there_by_itself_and_learns_the_same(make_job, run_job, as_on_a_gpu):
    plain, stepping = (make_job(**LORA, train=FEW, memory={"gradient_checkpointing": True}) for _ in range(2))
    plain.bus = None
    told = [step_down(stepping) for _ in range(2)]
    assert [each.partition(" from now on")[0] for each in told] == [
        "memory.stream_activations = true",
        "memory.stream_weights = true",
    ]
    assert streamed_bytes(stepping.model.unet) > 0
    assert [each.loss for each in run_job(stepping)] == [each.loss for each in run_job(plain)]
    assert step_down(plain).startswith("memory.attention")  # there is nowhere to go


def test_what_is_small_and_what_is_a_weight_stays(monkeypatch):
    put: list[int] = []
    monkeypatch.setattr(CopyBus, "put", lambda self, tensor: put.append(tensor.nbytes) or tensor)
    layer = nn.Linear(512, 1024)
    away = streaming._Away(CopyBus())
    with torch.autograd.graph.saved_tensors_hooks(away.pack, away.unpack):
        layer(torch.zeros(4, 512, requires_grad=True)).sum().backward()
        wide = torch.zeros(1024, 512, requires_grad=True)
        first = (wide * 2).exp()  # keeps its result, and so does the next one, of the same tensor
        (first * first).sum().backward()
    assert put == [2**21]


def test_an_address_used_anew_is_not_taken_for_what_lay_there():
    away = streaming._Away(CopyBus())
    one = torch.full((2**18,), 1.0)
    kept = away.pack(one)
    assert away.pack(one) is kept
    for _ in range(20):
        del one
        one = torch.full((2**18,), 2.0)
        assert away.pack(one) is not kept
    assert away.unpack(kept)[0] == 1.0


def test_on_a_cpu_it_is_told_that_nothing_comes_of_it(make_job, recorder):
    job = make_job(events=recorder, memory={"stream_activations": True, "stream_state": True})
    assert job.bus is None
    (told,) = (event["text"] for event in recorder.events if event["kind"] == "warning")
    assert told.startswith("memory.stream_activations and memory.stream_state: no effect on a CPU")
