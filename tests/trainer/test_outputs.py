import pytest

from trainer_core.models.header import read_header
from trainer_core.run.control import ControlReader
from trainer_core.run.directory import RunDirectory
from trainer_core.run.stop_signals import StopSignals
from trainer_core.train.halt import Halt
from trainer_core.train.loop import train
from trainer_core.train.outputs import Outputs
from trainer_core.train.session import Session

KEEP_TWO = {"output_name": "frog", "every_n_steps": 1, "keep_last": 2}


def names(run):
    return sorted(path.name for path in run.output.iterdir())


@pytest.mark.parametrize(("form", "ending"), [("safetensors", ".safetensors"), ("diffusers", "")])
def test_keep_last_counts_the_models_of_earlier_parts_too(form, ending, make_job, recorder, tmp_path):
    run = RunDirectory(tmp_path / "run")
    job = make_job(save={**KEEP_TWO, "format": form})
    first = Outputs(job, run, recorder)
    for job.step in (1, 2):
        first.save_model_on_the_way(f"frog-step{job.step:08d}")
    first.save_model("frog-asked-for")  # by a command: not counted, not removed
    resumed = Outputs(job, run, recorder)
    resumed.remember_models()
    job.step = 3
    resumed.save_model_on_the_way("frog-step00000003")
    kept = ["frog-asked-for", "frog-step00000002", "frog-step00000003"]
    assert names(run) == [f"{name}{ending}" for name in kept]


def test_previews_leave_the_training_as_it_was(make_job, run_job, recorder, tmp_path):
    tables = {"train": {"max_steps": 4, "workers": 1}, "sample": {"prompts": [{"prompt": "sls frog", "steps": 2}]}}
    plain, with_previews = make_job(**tables), make_job(**tables)
    run_job(with_previews, 2)
    outputs = Outputs(with_previews, RunDirectory(tmp_path / "run"), recorder)
    assert outputs.draw_previews() == 1
    assert with_previews.model.unet.training
    assert with_previews.model.text_encoder.training
    rest = [report.loss for report in run_job(with_previews)]
    assert [report.loss for report in run_job(plain)][2:] == rest


def test_a_preview_holds_its_prompt(make_job, recorder, tmp_path):
    from PIL import Image

    prompt = {"prompt": "sls frog", "negative_prompt": "blurry", "steps": 2, "seed": 5, "width": 128, "height": 64}
    run = RunDirectory(tmp_path / "run")
    Outputs(make_job(sample={"prompts": [prompt, prompt]}), run, recorder).draw_previews()
    pictures = [Image.open(path) for path in sorted(run.samples.iterdir())]
    assert [picture.size for picture in pictures] == [(128, 64)] * 2
    assert pictures[0].tobytes() == pictures[1].tobytes()  # the same seed
    text = pictures[0].text["parameters"]
    assert text.startswith("sls frog\nNegative prompt: blurry\nSteps: 2")
    assert "Seed: 5" in text


def test_several_previews_of_a_prompt_have_seeds_and_names_of_their_own(make_job, recorder, tmp_path):
    from PIL import Image

    prompts = [{"prompt": "sls frog", "steps": 1, "seed": 5}, {"prompt": "frog", "steps": 1, "seed": 6}]
    job = make_job(sample={"prompts": prompts, "num_per_prompt": 2})
    run = RunDirectory(tmp_path / "run")
    job.step = 500
    assert Outputs(job, run, recorder).draw_previews() == 4
    drawn = [event for event in recorder.events if event["kind"] == "sample"]
    assert [(event["prompt"], event["seed"]) for event in drawn] == [
        ("sls frog", 5),
        ("sls frog", 6),
        ("frog", 6),
        ("frog", 7),
    ]
    assert [event["path"] for event in drawn] == [f"samples/000500-{number}.png" for number in range(4)]
    pictures = [Image.open(run.path / event["path"]).tobytes() for event in drawn]
    assert len(set(pictures)) == 4
    assert {"kind": "phase", "name": "sample", "total": 4} in recorder.events


def test_previews_follow_each_save_where_asked(make_job, run_job, recorder, tmp_path):
    job = make_job(
        reg=False,
        train={"max_steps": 5},
        save={"every_n_steps": 2, "unet_precision": "fp16", "text_encoder_precision": "bf16"},
        sample={"prompts": [{"prompt": "frog", "steps": 1}], "after_save": True, "every_n_steps": 4},
    )
    run = RunDirectory(tmp_path / "run")
    outputs = Outputs(job, run, recorder)
    session = Session(job, outputs, recorder, Halt(ControlReader(run), StopSignals(), recorder), None)
    train(job, session.report, session.between_steps)
    kinds = ("saved", "sample")
    written = [(event["kind"], event["step"]) for event in recorder.events if event["kind"] in kinds]
    assert written == [("saved", 2), ("sample", 2), ("saved", 4), ("sample", 4)]
    header = read_header(run.output / "at-step00000004.safetensors").tensors
    types = {name.split(".")[0]: tensor.dtype for name, tensor in header.items()}
    assert types == {"model": "F16", "cond_stage_model": "BF16", "first_stage_model": "F32"}
