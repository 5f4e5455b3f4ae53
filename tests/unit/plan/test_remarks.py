"""What has no effect in a plan is said: a weight, the end of a caption, the size a model was trained at."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainer_core.config.schema import Config
from trainer_core.data.dataset import Item, Picture
from trainer_core.models.sniff import ModelInfo
from trainer_core.remarks import remarks

V_MODEL = ModelInfo("m.safetensors", Path("m.safetensors"), "safetensors", "sd2", "v", "its metadata")


def configured(**tables) -> Config:
    return Config.model_validate({"schema": 1, **tables})


def item(caption: str, name: str = "a.png") -> Item:
    picture = Picture(path=Path(name), size=(64, 64), caption=caption, caption_from=".txt")
    return Item(picture=picture, is_class=False, repeats=1)


def test_a_prediction_type_that_the_model_denies(plan):
    def remark(prediction):
        return [note for note in plan(model={"prediction": prediction}).notes if "model.prediction" in note]

    (note,) = remark("v")
    assert note.startswith('model.prediction is "v", and ')
    assert "says otherwise by its family" in note
    assert remark("epsilon") == remark("auto") == []


def test_prodigy_with_the_learning_rate_of_another(plan):
    def remark(rate):
        notes = plan(optimizer={"type": "prodigy", "learning_rate": rate}).notes
        return [note for note in notes if "Prodigy" in note]

    (note,) = remark(1e-4)
    assert note.startswith("optimizer.learning_rate = 0.0001 multiplies the rate that Prodigy finds by itself")
    assert remark(1.0) == []


def test_a_lora_with_the_learning_rate_of_a_whole_model(plan):
    def remark(train, rate):
        notes = plan(method={"train": train}, optimizer={"learning_rate": rate}).notes
        return [note for note in notes if "learning_rate" in note]

    (note,) = remark("lora", 1e-6)
    assert note.startswith("optimizer.learning_rate = 1e-06 is one for whole models")
    assert remark("lora", 1e-4) == remark("full", 1e-6) == []


@pytest.mark.parametrize(("precision", "end"), [("no", "; 0 would save it"), ("fp16", " and fp16 skips steps")])
def test_a_second_backward_pass_for_the_clipping(precision, end, plan):
    def remark(most, fused):
        tables = {"memory": {"mixed_precision": precision, "fused_backward": fused}}
        notes = plan(optimizer={"max_grad_norm": most}, **tables).notes
        return [note for note in notes if "second backward pass" in note]

    (note,) = remark(1.0, True)
    assert note.endswith(f"(optimizer.max_grad_norm = 1){end}")
    assert remark(0.0, True) == remark(1.0, False) == []


def test_a_prior_weight_without_class_pictures(plan, pictures):
    alone = {"train_dir": str(pictures("alone/2_sls frog", 2))}
    (note,) = (note for note in plan(dataset=alone, prior={"weight": 0.5}).notes if "prior" in note)
    assert note == "prior.weight = 0.5 has no effect: there are no class pictures"
    assert not any("prior" in note for note in plan(dataset=alone).notes)
    assert not any("prior" in note for note in plan(prior={"weight": 0.5}).notes)  # with class pictures


def test_captions_that_are_cut_are_counted_and_the_first_named(plan, pictures):
    train = pictures("long/2_sls frog", 3)
    for number, words in enumerate((75, 76, 200)):
        (train / "2_sls frog" / f"64x64-{number}.txt").write_text("frog " * words)
    (note,) = (note for note in plan(dataset={"train_dir": str(train)}).notes if "75 tokens" in note)
    assert "2 captions (64x64-1.png and others)" in note


def test_a_longer_reading_cuts_less(plan, pictures):
    train = pictures("long/2_sls frog", 3)
    for number, words in enumerate((75, 150, 151)):
        (train / "2_sls frog" / f"64x64-{number}.txt").write_text("frog " * words)
    notes = {
        length: [
            note
            for note in plan(dataset={"train_dir": str(train)}, text_encoder={"max_token_length": length}).notes
            if "tokens that are read" in note
        ]
        for length in (75, 150, 225)
    }
    assert notes[75] == [
        "longer than the 75 tokens that are read, the rest is not learned: 2 captions (64x64-1.png and others);"
        " text_encoder.max_token_length reads up to 225"
    ]
    assert "150 tokens that are read, the rest is not learned: 1 caption (64x64-2.png)" in notes[150][0]
    assert notes[225] == []


def test_ten_thousand_captions_take_no_time():
    items = tuple(
        item(f"a photo of sls frog number {number} in the grass", f"{number}.png") for number in range(10**4)
    )
    started = time.thread_time()
    assert list(remarks(configured(), None, items)) == []
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    ("model", "resolution", "is_told"),
    [
        (V_MODEL, [512, 512], True),
        (V_MODEL, [768, 512], True),
        (V_MODEL, [768, 768], False),
        (V_MODEL, [704, 832], False),
        (replace(V_MODEL, prediction="epsilon"), [512, 512], False),
        (replace(V_MODEL, family="sd1"), [512, 512], False),
        (replace(V_MODEL, family=None, prediction=None), [512, 512], False),
        (None, [512, 512], False),
    ],
)
def test_a_model_made_for_larger_pictures(model: ModelInfo | None, resolution: list[int], is_told: bool):
    told = list(remarks(configured(dataset={"resolution": resolution}), model, (item("sls frog"),)))
    assert len(told) == is_told
    if is_told:
        assert "dataset.resolution = [768, 768]" in told[0]
