"""The benchmarks' pieces do what their figures claim; nothing here is timed."""

import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
STEPS, PAIRS, SIDE, PICTURES = 4, 2, 64, 4


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Import a file of benchmarks/ as its scripts do; nothing remembers pictures outside the test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("DBTUI_CACHE_DIR", str(tmp_path / "cache"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.fixture
def comparison(load, tmp_path: Path):
    return load("vs_diffusers").set_up(tmp_path, "tiny", side=SIDE, pairs=PAIRS, steps=STEPS, pictures=PICTURES)


def test_both_sides_train_on_the_same_pictures_as_many_in_each_step(comparison):
    clocks = [comparison.ours(), comparison.plain(cache_latents=False), comparison.plain(cache_latents=True)]
    for clock in clocks:
        assert [len(pictures) for pictures in clock.pictures] == [2 * PAIRS] * STEPS
        seen = Counter(path for pictures in clock.pictures for path in pictures)
        # 4 steps of 4 are two passes over 4 pictures of the subject and 4 of the class.
        assert seen == Counter(dict.fromkeys([*comparison.instance, *comparison.classes], 2))


def test_both_sides_read_a_picture_alike(comparison, load):
    from trainer_core.config.schema import Dataset
    from trainer_core.data.buckets import fit_picture
    from trainer_core.data.pixels import load_pixels

    path = comparison.instance[0]
    ours = load_pixels(path, fit_picture((2 * SIDE, 2 * SIDE), Dataset(resolution=(SIDE, SIDE))))
    plain = load("plain_loop").open_picture(path, SIDE)
    assert plain.shape == ours.shape
    assert float((plain - ours).abs().mean()) < 0.02  # another resampling filter, the same picture


def test_plain_loop_trains_unet_and_text_encoder_but_not_the_vae(load, tmp_path: Path):
    bench_model, plain_loop = load("bench_model"), load("plain_loop")
    model = bench_model.random_model(bench_model.sd1_configs(bench_model.TINY))
    before = {name: _copy(model.module(name)) for name in ("unet", "text_encoder", "vae")}
    instance, classes = load("bench_data").draw_pictures(tmp_path, SIDE, subject=2, classes=2)
    tokenize = plain_loop.clip_tokenize(_tokenizer_folder(tmp_path))
    pairs = plain_loop.Pairs(instance, classes, ("sls frog", "frog"), SIDE, tokenize)
    losses: list[float] = []
    settings = plain_loop.PlainSettings(
        steps=3, pairs=2, side=SIDE, learning_rate=1e-4, seed=1, cache_latents=False
    )
    plain_loop.train_plain(model, pairs, settings, lambda step, pictures, loss: losses.append(loss))
    changed = {name: not _same(before[name], model.module(name)) for name in before}
    assert changed == {"unet": True, "text_encoder": True, "vae": False}
    assert len(losses) == 3
    assert all(0.5 < loss < 10 for loss in losses)  # two means of squared unit noise, at random weights


def test_both_tokenizers_agree(load, tmp_path: Path):
    from trainer_core.models.family import family_named

    tokenize = load("plain_loop").clip_tokenize(_tokenizer_folder(tmp_path))
    assert tokenize("sls frog").tolist() == family_named("sd1").tokenize(["sls frog"])[0]


def test_flops_of_the_real_model_are_the_known_ones(load):
    bench_model = load("bench_model")
    flops = bench_model.flops_of_a_step(bench_model.sd1_configs(bench_model.FULL), 512)
    # A forward pass of SD 1.5's U-Net at 512 is 0.8 TFLOP; with the backward pass three times that.
    assert 2.2e12 < flops["unet"] < 2.6e12
    assert 0.25 < bench_model.share_of("vae", flops) < 0.40


def test_ratio_is_taken_repetition_by_repetition(load):
    spread = load("results_file").ratios([2.0, 30.0, 4.0], [1.0, 10.0, 4.0])
    assert spread.as_dict() == {"median": 2.0, "min": 1.0, "max": 3.0}


@pytest.mark.parametrize("name", ["vs_diffusers", "cold_start", "checkpoint", "cpu"])
def test_docs_show_the_committed_results(load, name: str):
    results_file = load("results_file")
    table = (results_file.RESULTS / f"{name}.md").read_text(encoding="utf-8")
    page = results_file.PAGE.read_text(encoding="utf-8")
    assert results_file.with_table(page, name, table) == page
    results = json.loads((results_file.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert load(name).table_of(results) == table


def test_the_readme_shows_the_committed_ratios(load):
    cpu = load("cpu")
    results = json.loads((load("results_file").RESULTS / "cpu.json").read_text(encoding="utf-8"))
    page = cpu.README.read_text(encoding="utf-8")
    assert cpu.readme_with(page, results) == page
    goals = [row for row in results["rows"] if "goal" in row]
    assert len(goals) >= 2
    assert all(row["reached"] is (row["ours"] < row["goal"]) for row in goals)


def test_docs_show_the_committed_ladder(load):
    results_file, ladder = load("results_file"), load("ladder")
    results = json.loads((results_file.RESULTS / "ladder.json").read_text(encoding="utf-8"))
    page = ladder.DOCS.read_text(encoding="utf-8")
    assert results_file.with_table(page, "ladder", ladder.table_of(results)) == page
    assert [row["rung"] for row in results["memory"]] == list(ladder.MEMORY)
    assert [row["rung"] for row in results["speed"]] == list(ladder.SPEED)


@pytest.mark.slow
def test_everything_of_the_cpu_benchmark_is_measured(tmp_path: Path):
    output = tmp_path / "cpu.json"
    command = [sys.executable, str(BENCHMARKS / "cpu.py"), "--quick", "--repeats", "1", "--output", str(output)]
    assert subprocess.run(command, capture_output=True).returncode in {0, 1}  # 1: a goal is missed
    rows = json.loads(output.read_text())["rows"]
    assert [row["row"].split()[0] for row in rows] == [
        *("start", "CPU", "a", "caching", "dbtui", "dbtui", "events", "dashboard")
    ]
    assert all(row["ours"] > 0 for row in rows)
    assert sum("goal" in row for row in rows) == 2


def test_the_plain_loop_trains_without_class_pictures_too(load, tmp_path: Path):
    bench_model, plain_loop = load("bench_model"), load("plain_loop")
    model = bench_model.random_model(bench_model.sd1_configs(bench_model.TINY))
    instance, _ = load("bench_data").draw_pictures(tmp_path, SIDE, subject=2, classes=0)
    tokenize = plain_loop.clip_tokenize(_tokenizer_folder(tmp_path))
    pairs = plain_loop.Pairs(instance, [], ("sls frog", ""), SIDE, tokenize)
    seen: list[tuple[int, float]] = []
    shared = {"steps": 1, "pairs": 2, "side": SIDE, "learning_rate": 1e-4, "seed": 1, "cache_latents": True}
    settings = plain_loop.PlainSettings(**shared, mixed_precision="bf16", has_prior=False)
    plain_loop.train_plain(model, pairs, settings, lambda _, pictures, loss: seen.append((len(pictures), loss)))
    assert [count for count, _ in seen] == [2]
    assert 0.25 < seen[0][1] < 5  # one mean of squared unit noise


def test_a_bf16_peak_is_that_of_the_card_by_its_name(load):
    flops = load("gpu_flops")
    assert flops.published_peak("NVIDIA H200") == 989e12
    assert flops.published_peak("NVIDIA L40S") == 362e12  # no L4
    assert flops.published_peak("Some Card") is None
    assert flops.measured_peak(torch.device("cpu"), side=32, repeats=1) > 0


@pytest.mark.slow
def test_a_state_is_saved_in_every_way_and_the_stall_is_the_smaller_part(load, tmp_path: Path):
    checkpoint = load("checkpoint")
    state = checkpoint.random_state(checkpoint.TINY, torch.bfloat16)
    times = checkpoint.measure(state, tmp_path / "run", 2)
    assert times.keys() == set(checkpoint.WAYS)
    assert all(len(each) == 2 and min(each) > 0 for each in times.values())
    assert all(stall < whole for stall, whole in zip(times["stall"], times["until it stands"], strict=True))
    assert list((tmp_path / "run").iterdir()) == []


def test_cold_start_times_commands_that_work_and_counts_their_modules(load, tmp_path: Path):
    cold_start = load("cold_start")
    load("bench_data").draw_pictures(tmp_path, 64, subject=2, classes=2)
    bare, dbtui_help = (
        cold_start.commands(tmp_path)[name] for name in ("bare typer + rich --help", "dbtui --help")
    )
    assert cold_start.time_once(bare) > 0
    assert {"typer", "rich"} <= set(cold_start.modules_of(bare))
    loaded = cold_start.modules_of(dbtui_help)
    assert "dbtui.cli.app" in loaded
    assert not set(cold_start.HEAVY) & set(loaded)
    with pytest.raises(subprocess.CalledProcessError):
        cold_start.time_once(["-m", "dbtui", "no-such-command"])


def test_the_first_frame_is_complete_when_every_part_was_drawn(load):
    frames = load("first_frame")
    program = "print('\\x1b[1mhea\\x1b[0mder', flush=True); import time; time.sleep(0.3); print('footer'); input()"
    frame = frames.first_frame(frames.Program("a program", (sys.executable, "-c", program), ("header", "footer")))
    assert 0 < frame.anything < frame.complete - 0.25
    assert frame.bytes > len("headerfooter")
    with pytest.raises(RuntimeError, match="never drew"):
        frames.first_frame(frames.Program("a program", (sys.executable, "-c", "print('header')"), ("footer",)))


def test_the_first_frame_of_the_app(load):
    frames = load("first_frame")
    frame = frames.first_frame(frames.our_app(sys.executable))
    assert 0 < frame.anything <= frame.complete


@pytest.mark.slow
def test_gpu_script_runs_on_a_cpu_with_tiny_models(tmp_path: Path):
    output = tmp_path / "gpu.json"
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--tiny", "--device", "cpu", "--steps", "1"]
    options = ["--only", "sd21-12gb", "--presets-only", "--output", str(output)]
    done = subprocess.run([*command, *options], cwd=tmp_path)
    results = json.loads(output.read_text())
    assert done.returncode == 0, results["problems"]
    [row] = results["presets"]
    assert row["losses_finite"]
    assert row["steps_per_s"] > 0
    assert row["card_gb"] == 12
    assert row["memory"]["full_bf16"]  # fp16 is refused on a CPU
    assert row["fits_card"] is None  # there is no card to fit
    assert [beside["batch_size"] for beside in results["plain"]] == [1, 2]
    assert all(beside["ratio_to_plain"] > 0 and beside["ratio_to_plain_cached"] > 0 for beside in results["plain"])


@pytest.mark.slow
def test_gpu_script_tries_every_attention_kernel(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gpu = load("gpu_parts")
    monkeypatch.setattr(gpu, "ATTENTION_PRESET", "sd15-12gb")  # one picture a step
    bench = gpu.Bench(tmp_path, torch.device("cpu"), tiny=True, steps=1)
    rows = {row["attention"]: row for row in gpu.attention(bench)}
    assert rows["sdpa"]["losses_finite"]
    assert rows["sliced"]["losses_finite"]
    assert rows["sliced"]["last_loss"] == pytest.approx(rows["sdpa"]["last_loss"], rel=0.02)
    assert "needs a CUDA GPU" in rows["xformers"]["problem"]


@pytest.mark.slow
def test_gpu_script_takes_every_rung_of_the_ladder(load, tmp_path: Path):
    gpu = load("gpu_parts")
    rows = list(gpu.ladder(gpu.Bench(tmp_path, torch.device("cpu"), tiny=True, steps=1)))
    assert [row["rung"] for row in rows] == list(gpu.LADDER)
    assert [row["problem"] for row in rows if not row["losses_finite"]] == []


@pytest.mark.slow
def test_profiler_sees_a_host_that_waits(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gpu, passes = load("gpu_parts"), importlib.import_module("trainer_core.train.passes")
    bench = gpu.Bench(tmp_path, torch.device("cpu"), tiny=True, steps=1)
    config = bench.preset("sd15-24gb", 'memory.mixed_precision="no"')
    assert bench.watch(config).waits["aten::_local_scalar_dense"] == 0
    honest = passes.batch_losses

    def waiting(*arguments):
        losses = honest(*arguments)
        losses.sum().item()
        return losses

    monkeypatch.setattr(passes, "batch_losses", waiting)
    assert bench.watch(config).waits["aten::_local_scalar_dense"] == 1


def test_gpu_verdict_names_what_is_wrong(load):
    gpu = load("gpu_verdict")
    row = {
        "preset": "p",
        "card_gb": 8.0,
        "problem": None,
        "losses_finite": True,
        "fits_card": True,
        "problem_on_card": None,
        "loss_scale": 65536.0,
        "host_waits_per_step": {"aten::_local_scalar_dense": 1.0, "cudaStreamSynchronize": 1.0},
    }
    results = {"device": "a GPU", "presets": [row], "attention": [], "ladder": [], "precisions": []}
    assert gpu.verdict(results) == []
    row["loss_scale"] = 1.0  # no scaler, so nothing may wait
    assert len(gpu.verdict(results)) == 1
    row |= {"host_waits_per_step": {}, "fits_card": False, "problem_on_card": "out of memory"}
    assert gpu.verdict(results) == ["p: does not fit 8 GB: out of memory"]
    slow = {"batch_size": 1, "problem": None, "ratio_to_plain": 1.4}
    short = {"device": "a GPU", "plain": [slow], "left_out": ["ladder: lora"], "errors": ["attention: it broke"]}
    assert len(gpu.verdict(short)) == 3


def test_a_part_of_the_gpu_script_that_fails_loses_no_other(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gpu, parts = load("gpu"), load("gpu_parts")
    bench = parts.Bench(tmp_path, torch.device("cpu"), tiny=True, steps=1)
    row = {"preset": "p", "problem": None, "losses_finite": True}

    def broken():
        yield row
        raise RuntimeError("CUDA error")

    def late():
        bench.ends = 0.0
        yield from bench.in_time("ladder", [row])

    rest = {"preset": "q", "problem": None, "losses_finite": True}
    monkeypatch.setattr(
        gpu, "parts", lambda *_: {"presets": broken, "ladder": late, "attention": lambda: iter([rest])}
    )
    results = {"device": "cpu", "errors": []}
    gpu._measure(bench, [], results, tmp_path / "gpu.json", presets_only=False)
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert (kept["presets"], kept["ladder"], kept["attention"]) == ([row], [], [rest])
    assert kept["errors"] == ["presets: RuntimeError: CUDA error"]
    assert len(kept["left_out"]) == 1
    assert len(kept["problems"]) == 2


def test_a_tenth_of_a_card_stays_free_and_what_cuda_takes_at_least(load):
    run = load("gpu_run")
    assert run.limit_gb(24) == pytest.approx(21.6)
    assert run.limit_gb(6) == pytest.approx(6 - run.CONTEXT_GB)


def _tokenizer_folder(parent: Path) -> Path:
    from trainer_core.models.configs import bundled_config

    return bundled_config("sd1", parent / "configs")


def _copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _same(before: dict[str, torch.Tensor], module: torch.nn.Module) -> bool:
    return all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
