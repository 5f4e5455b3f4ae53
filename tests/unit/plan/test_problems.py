"""Every problem at once, the worst kind first; and the plan as people and programs read it."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from dbtui.cli.plan_json import plan_data
from dbtui.runs.plan_report import report
from trainer_core.errors import ExitCode, UserError


@pytest.fixture
def all_wrong(plan, tmp_path: Path, pictures):
    """A plan with a missing model and VAE, a bad picture, and a file in the place of the runs."""
    train = pictures("bad/2_sls frog", 1)
    (train / "2_sls frog" / "page.jpg").write_text("<html>")
    (tmp_path / "file").write_text("")
    return plan(
        runs_dir=tmp_path / "file",
        model={"base": str(tmp_path / "no.safetensors"), "vae": str(tmp_path / "no-vae.safetensors")},
        dataset={"train_dir": str(train)},
    )


def test_model_pictures_and_disk_are_told_together(all_wrong):
    with pytest.raises(UserError) as told:
        all_wrong.raise_for_problems()
    words = ["no.safetensors", "no-vae.safetensors", "page.jpg", "not a folder"]
    assert len(told.value.problems) == len(words)
    assert all(word in problem for word, problem in zip(words, told.value.problems, strict=True))
    assert told.value.code is ExitCode.MODEL


@pytest.mark.parametrize(
    ("without", "words"), [("first_stage", "holds no VAE"), ("cond_stage", "text encoder is missing")]
)
def test_half_a_model(plan, model_file, without: str, words: str):
    made = plan(model={"base": str(model_file("half.safetensors", without=without))})
    assert [int(error.code) for error in made.errors] == [4]
    assert words in made.errors[0].problems[0]


def test_a_ckpt_under_an_old_torch(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer_core.models.pickles.version", lambda name: "2.9.1+cu128")
    (tmp_path / "old.ckpt").write_bytes(bytes(100))
    (error,) = plan(model={"base": str(tmp_path / "old.ckpt")}).errors
    assert error.code is ExitCode.MODEL
    assert "2.10" in error.problems[0]


def test_skipped_pictures_are_no_problem(plan, pictures):
    train = pictures("skip/2_sls frog", 2)
    (train / "2_sls frog" / "page.jpg").write_text("<html>")
    made = plan(dataset={"train_dir": str(train), "on_bad_image": "skip"})
    assert made.errors == ()
    assert len(made.items) == 2
    assert any("left out" in note and "1 picture (page.jpg)" in note for note in made.notes)


def test_a_model_that_will_be_replaced_is_said(plan, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "frog.safetensors").write_text("")
    made = plan(save={"output_dir": str(tmp_path / "models"), "output_name": "frog"})
    assert any("frog.safetensors exists already" in note for note in made.notes)


@pytest.fixture
def drawn(config):
    def draw(made, width: int = 80, **tables) -> str:
        console = Console(width=width, highlight=False, markup=False, force_terminal=False, record=True, file=None)
        with console.capture() as capture:
            console.print(report(made, config(**tables)))
        return capture.get()

    return draw


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_tells_model_pictures_steps_saves_and_disk(plan, drawn, width):
    text = drawn(plan(train={"max_steps": 100}, save={"every_n_steps": 10}), width)
    for words in ("Stable Diffusion 1.x", "2_sls frog", "5 x 2 = 10", "20 steps", "last.safetensors", "✓ disk"):
        assert words in text
    assert all(len(line) <= width for line in text.splitlines())


def test_the_report_counts_problems_by_kind(all_wrong, drawn):
    text = drawn(all_wrong)
    for words in ("✓ settings", "✗ model: 2 problems", "✗ pictures: 1 problem", "✗ disk: 1 problem"):
        assert words in text


@pytest.mark.row(44)
def test_names_cannot_act_on_the_terminal(plan, drawn, pictures):
    train = pictures("evil/2_\x1b]0;x\x07[bold]sls frog", 1)
    text = drawn(plan(dataset={"train_dir": str(train)}))
    assert "\x1b" not in text
    assert "[bold]" in text


def test_json_holds_the_same_numbers(plan, config):
    made = plan(train={"max_steps": 40})
    data = json.loads(json.dumps(plan_data(made, config()), default=str))
    assert data["ok"]
    assert (data["steps_per_epoch"], data["total_steps"], data["epochs"]) == (20, 40, 2)
    assert data["balance"][0]["used_count"] == 10
    assert data["disk"]["places"][0]["needed"] > data["disk"]["total"] > 0


def test_precision_and_previews_are_told(plan, config, drawn):
    prompts = [{"prompt": "frog"}, {"prompt": "sls frog"}]
    tables = {
        "train": {"max_steps": 40},
        "save": {"precision": "fp16", "vae_precision": "float", "every_n_steps": 10},
        "sample": {"prompts": prompts, "num_per_prompt": 3, "after_save": True, "before_training": True},
    }
    made = plan(**tables)
    data = plan_data(made, config(**tables))
    assert data["previews"] == {"times": 5, "pictures": 6}
    assert (data["saves"]["precision"], data["saves"]["own_precisions"]) == ("fp16", {"vae": "float"})
    text = drawn(made, **tables)
    assert "6 pictures, drawn 5 times" in text
    assert "4 models, fp16, vae float, into" in text


def test_json_tells_every_problem_with_its_code(all_wrong, config):
    data = plan_data(all_wrong, config())
    assert not data["ok"]
    assert [problem["code"] for problem in data["problems"]] == [4, 4, 3, 6]
