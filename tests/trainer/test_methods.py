"""Every method, as a whole model and as a LoRA: the texts of its batches, and that they are learned."""

import shutil

import pytest
import torch

from trainer_core.train.checkpoint import newest_valid, save_checkpoint
from trainer_core.train.resume import checkpoint_of, restore

STEPS = 4


@pytest.fixture(scope="session")
def captioned(pictures, tmp_path_factory):
    """The pictures of the guide's layout, of which some, or all, have captions."""
    root = tmp_path_factory.mktemp("captioned")
    for name, share in (("some", 2), ("all", 1)):
        shutil.copytree(pictures, root / name)
        for picture in sorted((root / name / "train" / "2_sls frog").glob("*.png"))[::share]:
            picture.with_suffix(".txt").write_text(f"a frog, green, wet, number {int(picture.stem)}")
    return root


METHODS = {
    "dreambooth": ("some", True, {"sls frog", "a frog, green, wet, number 4", "frog"}),
    "native": ("some", False, {"sls frog", "a frog, green, wet, number 4"}),
    "finetune": ("all", False, {"a frog, green, wet, number 3", "a frog, green, wet, number 4"}),
    "hybrid": ("some", True, {"sls frog", "sls, green, wet, number 4", "frog"}),
}


@pytest.mark.parametrize("train", ["full", "lora"])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_its_texts(name, train, make_job, run_job, captioned):
    pictures, has_class, expected = METHODS[name]
    dataset = {"train_dir": str(captioned / pictures / "train")}
    if has_class:
        dataset["reg_dir"] = str(captioned / pictures / "reg")
    job = make_job(
        reg=False,
        dataset=dataset,
        method={"captions": {"native": "dreambooth"}.get(name, name), "train": train},
        train={"max_steps": 20, "workers": 1},
    )
    before = {key: value.detach().clone() for key, value in job.parameters.items()}
    seen = {text for step in range(20) for batch in job.loader.step(step) for text in batch.captions}
    assert expected <= seen
    assert any("sls" in text for text in seen) == (name != "finetune")
    assert ("frog" in seen) == has_class
    assert [report.loss for report in run_job(job, 2)]
    assert any(not torch.equal(value, before[key]) for key, value in job.parameters.items())


def test_texts_that_vary_resume_exactly(make_job, run_job, captioned, tmp_path):
    tables = {
        "reg": False,
        "dataset": {
            "train_dir": str(captioned / "all" / "train"),
            "shuffle_caption": True,
            "keep_tokens": 1,
            "tag_dropout_rate": 0.2,
            "caption_dropout_rate": 0.2,
            "token_warmup_steps": 0.5,
        },
        "train": {"max_steps": STEPS, "batch_size": 2, "workers": 1},
    }
    whole = make_job(**tables)
    texts = [batch.captions for step in range(STEPS) for batch in whole.loader.step(step)]
    assert len(set(texts)) == STEPS
    expected = [report.loss for report in run_job(whole)]
    first = make_job(**tables)
    seen = [report.loss for report in run_job(first, 2)]
    save_checkpoint(tmp_path, checkpoint_of(first))
    second = make_job(**tables)
    assert restore(second, newest_valid(tmp_path)[0]) == []
    assert seen + [report.loss for report in run_job(second)] == expected
    plain = make_job(**{**tables, "dataset": {"train_dir": tables["dataset"]["train_dir"]}})
    assert [report.loss for report in run_job(plain, 2)] != expected[:2]
