"""What only a GPU can show; `make test-gpu` runs it, everything else leaves it out."""

import importlib
import math
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MEMORY = {
    "fp16": 'mixed_precision = "fp16"',
    "bf16": 'mixed_precision = "bf16"',
    "full_fp16": 'mixed_precision = "fp16"\nfull_fp16 = true',
    "full_bf16": 'mixed_precision = "bf16"\nfull_bf16 = true',
}
STEPS, PROFILED = 8, 2

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Train the tiny model for a few steps, by default on the GPU; return what was seen and the model."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))
    from trainer_core.config.reader import parse_config
    from trainer_core.models.tiny import build_tiny

    importlib.import_module("bench_data").draw_pictures(tmp_path, 128, subject=4, classes=4)

    def watch(memory: str, optimizer: str = "adamw", device: str = "cuda", side: int = 64, norm: float = 1.0):
        text = f"""schema = 1
[dataset]
train_dir = "train"
reg_dir = "reg"
resolution = [{side}, {side}]
[optimizer]
type = "{optimizer}"
learning_rate = 1e-4
max_grad_norm = {norm}
[train]
max_steps = {STEPS}
batch_size = 2
[memory]
{memory}
"""
        config = parse_config(text, "test", folder=tmp_path)
        model = build_tiny()
        profiled = PROFILED if device == "cuda" else 0
        runs, gpu_run = tmp_path / "runs", importlib.import_module("gpu_run")
        watched = gpu_run.watch(config, model, torch.device(device), runs, profiled_steps=profiled)
        return watched, model

    return watch


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit"])
@pytest.mark.parametrize("precision", MEMORY)
def test_trains(watch, precision: str, optimizer: str):
    from trainer_core.models.tiny import build_tiny

    watched, model = watch(MEMORY[precision], optimizer)
    assert watched.problem is None
    assert len(watched.losses) == STEPS
    assert watched.finite
    start = dict(build_tiny().unet.named_parameters())
    moved = [not torch.equal(start[name], value.float().cpu()) for name, value in model.unet.named_parameters()]
    assert sum(moved) > 0.95 * len(moved)
    assert all(bool(value.isfinite().all()) for value in model.unet.parameters())


@pytest.mark.parametrize("precision", MEMORY)
def test_host_waits_once_a_step_for_the_scaler_and_else_never(watch, precision: str):
    watched, _ = watch(MEMORY[precision], "adamw8bit")
    allowed = 1 if "fp16" in precision else 0
    # Parts of a step do not count: the profiler waits for the device once, when it ends.
    assert all(int(count) <= allowed for count in watched.waits.values()), watched.waits


OTHERS = ["paged_adamw", "paged_adamw8bit", "lion", "lion8bit", "adafactor", "prodigy", "adamw_schedulefree"]


@pytest.mark.parametrize("optimizer", OTHERS)
def test_every_other_optimizer_trains_and_prodigy_alone_waits(watch, optimizer: str):
    watched, _ = watch(MEMORY["bf16"], optimizer)
    assert watched.problem is None
    assert len(watched.losses) == STEPS
    assert watched.finite
    if optimizer != "prodigy":
        assert not any(int(count) for count in watched.waits.values()), watched.waits


@pytest.mark.parametrize("optimizer", ["paged_adamw", "paged_adamw8bit", "lion", "lion8bit"])
def test_16_bit_weights_are_trained_by_what_rounds_them(watch, optimizer: str):
    watched, _ = watch(MEMORY["full_bf16"], optimizer)
    assert watched.problem is None
    assert watched.finite


@pytest.mark.parametrize("norm", [0.0, 1.0])
@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "adafactor"])
@pytest.mark.parametrize("precision", MEMORY)
def test_an_update_inside_the_backward_pass_learns_the_same_and_waits_for_the_scaler_alone(
    watch, precision: str, optimizer: str, norm: float
):
    losses = []
    for fused in ("false", "true"):
        watched, _ = watch(f"{MEMORY[precision]}\nfused_backward = {fused}", optimizer, norm=norm)
        assert watched.problem is None
        losses.append(watched.losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)  # a GPU's additions have no fixed order
    allowed = 1 if "fp16" in precision else 0
    assert all(int(count) <= allowed for count in watched.waits.values()), watched.waits


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_a_lora_beside_a_model_in_8_bits_trains_and_makes_nobody_wait(watch, kind: str):
    tables = f'\nbase_dtype = "{kind}"\ngradient_checkpointing = true\n[method]\ntrain = "lora"\n'
    watched, model = watch(MEMORY["bf16"] + tables)
    assert watched.problem is None
    assert watched.finite
    assert {str(tensor.dtype) for name, tensor in model.unet.named_buffers() if "bits" in name} == {"torch.int8"}
    assert not any(int(count) for count in watched.waits.values()), watched.waits


def test_no_loss_noise_or_average_makes_the_host_wait(watch):
    tables = """
[loss]
type = "huber"
min_snr_gamma = 5.0
debiased_estimation = true
noise_offset = 0.1
noise_offset_random_strength = true
adaptive_noise_scale = 0.1
multires_noise_iterations = 6
ip_noise_gamma = 0.1
ip_noise_gamma_random_strength = true
[ema]
enable = true
"""
    watched, _ = watch(MEMORY["bf16"] + tables)
    assert watched.problem is None
    assert watched.finite
    assert not any(int(count) for count in watched.waits.values()), watched.waits


@pytest.mark.parametrize("precision", MEMORY)
def test_a_lora_trains_and_its_dropout_and_limit_make_nobody_wait(watch, precision: str):
    tables = """
gradient_checkpointing = true
[method]
train = "lora"
[network]
conv_rank = 4
dropout = 0.1
rank_dropout = 0.1
module_dropout = 0.1
scale_weight_norms = 1.0
loraplus_lr_ratio = 4.0
"""
    watched, model = watch(MEMORY[precision] + tables)
    assert watched.problem is None
    assert watched.finite
    assert not any(parameter.requires_grad for parameter in model.unet.parameters())
    allowed = 1 if precision == "full_fp16" else 0  # torch's fused AdamW skips inside its kernel
    assert all(int(count) <= allowed for count in watched.waits.values()), watched.waits


@pytest.mark.parametrize("kind", ["paged_adamw", "paged_adamw8bit"])
def test_paged_state_comes_back_from_a_checkpoint(kind: str, tmp_path: Path):
    from trainer_core.config.schema import Optimizer
    from trainer_core.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from trainer_core.train.optimizers import make_optimizer

    device = torch.device("cuda")
    one, no = torch.ones((), device=device), torch.zeros((), dtype=torch.bool, device=device)

    def make():
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 400_000, device=device))  # paged from 100,000 numbers on
        return weight, make_optimizer([[weight]], Optimizer(type=kind, learning_rate=1e-2), exact_skip=False)

    def step(weight, optimizer, number: int):
        weight.grad = torch.sin(weight.detach() * number)
        optimizer.step([1e-2], one, no, seed=number)

    whole, halted, resumed = make(), make(), make()
    for number in range(1, 5):
        step(*whole, number)
    for number in range(1, 3):
        step(*halted, number)
    torch.cuda.synchronize()
    path, _ = save_checkpoint(tmp_path, Checkpoint(2, {"w": halted[0]}, halted[1].state(), {}, {}))
    found = load_checkpoint(path, device)
    with torch.no_grad():
        resumed[0].copy_(found.weights["w"])
    resumed[1].load(found.optimizer)
    for number in range(3, 5):
        step(*resumed, number)
    assert torch.equal(whole[0], resumed[0])


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch):
    """Draw all noise and timesteps with CPU generators of the same seeds, whatever the device; TF32 is off."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    draws = {"randn": torch.randn, "randint": torch.randint}
    on_cpu: dict[int, torch.Generator] = {}

    def drawing(name: str):
        def draw(*arguments, generator=None, device=None, **options):
            if generator is None:
                return draws[name](*arguments, device=device, **options)
            seed = generator.initial_seed()
            if seed not in on_cpu:
                on_cpu.clear()
                on_cpu[seed] = torch.Generator().manual_seed(seed)
            return draws[name](*arguments, generator=on_cpu[seed], **options).to(device)

        return draw

    for name in draws:
        monkeypatch.setattr(torch, name, drawing(name))
    return on_cpu.clear


def test_losses_are_those_of_the_cpu(watch, same_noise):
    """In float32, with the same noise, each loss of a training; at 128, where no map of the U-Net is 1 x 1."""
    losses = {}
    for device in ("cuda", "cpu"):
        watched, _ = watch('mixed_precision = "no"', device=device, side=128)
        losses[device] = watched.losses
        same_noise()
    assert len(losses["cuda"]) == STEPS
    assert max(losses["cpu"]) > 1.1 * min(losses["cpu"])  # steps differ: a constant would not pass for them
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-3)


def test_readback_brings_every_step_once_in_order_one_step_late():
    from trainer_core.train.readback import Readback

    device = torch.device("cuda")
    readback, seen = Readback(device), []
    for step in range(1, 8):
        numbers = readback.push(step, torch.tensor(float(step), device=device), torch.tensor(0.5, device=device))
        assert (numbers is None) == (step == 1)
        seen.append(numbers)
    seen.append(readback.drain())
    assert [(numbers.step, numbers.loss, numbers.grad_norm) for numbers in seen[1:]] == [
        (step, float(step), 0.5) for step in range(1, 8)
    ]
    assert readback.drain() is None


def test_scaler_skips_an_overflow_and_leaves_the_weights(watch):
    """The first scale, 65536, overflows a loss of this size: steps are skipped until it fits."""
    from trainer_core.train.scaler import LossScaler

    scaler = LossScaler(torch.device("cuda"), enabled=True)
    scaler.update(torch.tensor(True, device="cuda"))
    assert float(scaler.scale) == 32768.0
    watched, _ = watch(MEMORY["fp16"])
    assert watched.scale == 65536.0 * 0.5**watched.skipped
    assert all(map(math.isfinite, watched.losses))


def test_xformers_is_used_only_where_its_numbers_are_right(watch):
    from trainer_core.train.attention import xformers_problem

    problem = xformers_problem(torch.device("cuda"))
    watched, _ = watch('attention = "xformers"\nmixed_precision = "bf16"')
    if problem is None:
        assert watched.problem is None
        assert watched.finite
    else:
        assert watched.problem is not None
        assert 'Use "sdpa"' in watched.problem


def test_sliced_attention_trains(watch):
    watched, _ = watch('attention = "sliced"\nmixed_precision = "bf16"')
    assert watched.problem is None
    assert watched.finite


@pytest.fixture
def train_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Train the tiny model as a run does, on the GPU; return its losses, and what `in_pause` returned.

    That is called before a pause in the middle of the training, and during it.
    """
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    importlib.import_module("bench_data").draw_pictures(tmp_path, 128, subject=4, classes=4)
    samples_of = importlib.import_module("gpu_run").samples_of
    from trainer_core.config.reader import parse_config
    from trainer_core.models.tiny import build_tiny
    from trainer_core.run.control import ControlReader, append_command
    from trainer_core.run.directory import create_run
    from trainer_core.run.events import EventReader, EventWriter
    from trainer_core.run.stop_signals import StopSignals
    from trainer_core.train.halt import Halt
    from trainer_core.train.job import prepare
    from trainer_core.train.loop import train
    from trainer_core.train.outputs import Outputs
    from trainer_core.train.session import Session

    def run_session(name: str, tables: str, in_pause=None):
        text = f"""schema = 1
dataset = {{ train_dir = "train", resolution = [64, 64] }}
train.max_steps = {STEPS}
{tables}"""
        run = create_run(tmp_path / "runs", name, text)
        config = parse_config(text, "test", folder=tmp_path)
        events, signals, seen = EventWriter(run), StopSignals(), []
        samples, device, cache = samples_of(config), torch.device("cuda"), tmp_path / "cache"
        job = prepare(config, samples, build_tiny(), device, events, cache_dir=cache, should_stop=lambda: False)
        halt = Halt(ControlReader(run), signals, events)
        session = Session(job, Outputs(job, run, events, halt.is_asked), events, halt, None)

        def look_and_unpause(seconds: float) -> None:
            seen.append(in_pause())
            append_command(run, "unpause")

        def between_steps() -> bool:
            if in_pause and job.step == STEPS // 2 and not seen:
                seen.append(in_pause())
                monkeypatch.setattr(halt, "wait", look_and_unpause)
                append_command(run, "pause")
            return session.between_steps()

        try:
            train(job, session.report, between_steps)
        finally:
            job.loader.close()
            signals.close()
            events.close()
        return [event["loss"] for event in EventReader(run.events).poll() if event["kind"] == "step"], seen

    return run_session


@pytest.mark.parametrize(
    "tables",
    [
        'optimizer.type = "adamw"\nmemory.mixed_precision = "bf16"\nema.enable = true',
        'optimizer.type = "adamw8bit"\nmemory = { mixed_precision = "fp16", full_fp16 = true }',
        'optimizer.type = "paged_adamw"\nmemory.mixed_precision = "bf16"',
        'method.train = "lora"\ntext_encoder.train = false\nmemory.mixed_precision = "bf16"',
    ],
)
def test_a_pause_gives_the_memory_back_and_changes_no_loss(train_session, tables: str):
    whole, _ = train_session("whole", tables)
    paused, (before, meanwhile) = train_session("paused", tables, torch.cuda.memory_allocated)
    assert meanwhile < 0.1 * before
    assert len(whole) == STEPS
    assert paused == whole


@pytest.mark.parametrize(
    ("tables", "streamed"),
    [
        ("method.train = 'lora'", "stream_weights = true"),
        ("method.train = 'lora'\nmemory.base_dtype = 'int8'", "stream_weights = true\nstream_activations = true"),
        ("memory.mixed_precision = 'bf16'", "stream_activations = true\nstream_state = true"),
        ("memory.fused_backward = true", "stream_state = true"),
    ],
)
def test_streaming_learns_the_same(tables, streamed, train_session, monkeypatch):
    from trainer_core.train import streaming

    monkeypatch.setattr(streaming, "LEAST", 0)
    tables = f"optimizer.type = 'adamw'\n{tables}\n"
    expected = train_session("plain", tables)[0]
    more = "".join(f"memory.{line}\n" for line in streamed.splitlines())
    assert train_session("streamed", tables + more)[0] == pytest.approx(expected, rel=1e-3)
