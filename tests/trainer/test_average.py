"""EMA and schedule-free: what is saved and drawn with is an average, what is trained is not touched by it."""

import pytest
import torch
from safetensors.torch import load_file

from trainer_core.run.directory import RunDirectory
from trainer_core.train.average import WeightAverage
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs

NO, YES = torch.tensor(False), torch.tensor(True)
TABLES = {"train": {"max_steps": 4, "workers": 1}, "text_encoder": {"train": False}}
WEIGHT = "unet.conv_in.weight"
IN_FILE = "model.diffusion_model.input_blocks.0.0.weight"


def saved_weight(outputs):
    (path,) = outputs.save_model("frog")
    return load_file(path)[IN_FILE]


def test_saved_is_the_average_of_the_formula_and_the_training_goes_on_as_without(
    make_job, run_job, recorder, tmp_path
):
    job = make_job(**TABLES, ema={"enable": True, "decay": 0.25})
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder)
    expected = job.parameters[WEIGHT].detach().double()
    losses = []

    def between_steps():
        nonlocal expected
        weight = job.parameters[WEIGHT].detach().clone()
        decay = min(0.25, (1 + job.step) / (10 + job.step))  # 2/11, 3/12, 0.25, 0.25
        expected = decay * expected + (1 - decay) * weight.double()
        written = saved_weight(outputs)
        torch.testing.assert_close(written.double(), expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(written, weight)
        assert torch.equal(job.parameters[WEIGHT], weight)
        return True

    train(job, lambda report: losses.append(report.loss), between_steps)
    assert losses == [report.loss for report in run_job(make_job(**TABLES))]


def test_previews_show_the_average(make_job, run_job, recorder, tmp_path):
    prompt = {"prompts": [{"prompt": "frog", "steps": 2}]}
    job = make_job(**TABLES, sample=prompt, ema={"enable": True})
    at_first = {name: average.clone() for name, average in job.average.tensors.items()}
    run = RunDirectory(tmp_path / "run")
    outputs = Outputs(job, run, recorder)
    outputs.draw_previews()
    run_job(job, 2)
    outputs.draw_previews()
    job.average.load(at_first)
    job.step = 3
    outputs.draw_previews()
    start, moved, back = (path.read_bytes() for path in sorted(run.samples.iterdir()))
    assert pixels(start) == pixels(back) != pixels(moved)


def pixels(png):
    import io

    from PIL import Image

    return Image.open(io.BytesIO(png)).tobytes()


def test_schedule_free_saves_its_average_and_trains_on_as_if_it_had_not(make_job, run_job, recorder, tmp_path):
    tables = {**TABLES, "optimizer": {"type": "adamw_schedulefree", "learning_rate": 1e-4}}
    job = make_job(**tables)
    outputs = Outputs(job, RunDirectory(tmp_path / "run"), recorder)
    losses = []

    def between_steps():
        y = job.parameters[WEIGHT].detach().clone()
        z = job.optimizer.state()[list(job.parameters).index(WEIGHT)]["z"]
        x = (y - (1 - 0.9) * z) / 0.9  # y = beta1 x + (1 - beta1) z
        torch.testing.assert_close(saved_weight(outputs), x, rtol=1e-5, atol=1e-6)
        assert torch.equal(job.parameters[WEIGHT], y)
        return True

    train(job, lambda report: losses.append(report.loss), between_steps)
    assert losses == [report.loss for report in run_job(make_job(**tables))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_skipped_step_does_not_count(dtype):
    weight = torch.nn.Parameter(torch.zeros(3, dtype=dtype))
    average = WeightAverage({"w": weight}, 0.5, exact_skip=True)
    weight.data += 1
    average.update(100, YES)
    assert average.tensors["w"].tolist() == [0.0] * 3
    average.update(100, NO)
    assert average.tensors["w"].tolist() == [0.5] * 3


def test_the_average_of_16_bit_weights_is_saved_in_float32():
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    average = WeightAverage({"w": weight}, 0.999, exact_skip=False)
    weight.data += 1
    average.update(10**6, NO)
    with average.kept_weights():
        torch.testing.assert_close(weight.data, torch.full((3,), 1.001))
    assert torch.equal(weight, torch.full((3,), 2.0, dtype=torch.bfloat16))
    weight.requires_grad_(False)
    weight.data += 1
    average.update(10**6, NO)
    torch.testing.assert_close(average.tensors["w"], torch.full((3,), 1.001))


def test_a_lora_is_saved_as_its_average(make_job, run_job, recorder, tmp_path):
    job = make_job(**TABLES, method={"train": "lora"}, ema={"enable": True})
    run_job(job, 2)
    trained = {name: weight.detach().clone() for name, weight in job.parameters.items()}
    job.average.load({name: torch.full_like(average, 0.5) for name, average in job.average.tensors.items()})
    (path,) = Outputs(job, RunDirectory(tmp_path / "run"), recorder).save_model("frog")
    written = [tensor for name, tensor in load_file(path).items() if not name.endswith("alpha")]
    assert len(written) == len(trained)
    assert all((tensor == 0.5).all() for tensor in written)
    assert all(torch.equal(weight, trained[name]) for name, weight in job.parameters.items())
