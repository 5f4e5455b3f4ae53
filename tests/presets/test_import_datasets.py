"""`dbtui preset import` of sd-scripts' files of datasets, and of fine_tune.py."""

from pathlib import Path

import pytest

from tests.presets.importing_tools import imported_of, reasons, run_of
from trainer_core.errors import UserError

DATASETS = """
[general]
shuffle_caption = true
caption_extension = ".txt"
keep_tokens = 1

[[datasets]]
resolution = [512, 768]
batch_size = 4
enable_bucket = true

  [[datasets.subsets]]
  image_dir = "C:/pictures/frog"
  class_tokens = "sls frog"
  num_repeats = 3

  [[datasets.subsets]]
  image_dir = "C:/class/frog"
  is_reg = true
  class_tokens = "frog"
  num_repeats = 2

  [[datasets.subsets]]
  image_dir = "C:/pictures/pond"
  class_tokens = "sls pond"
  keep_tokens = 2
"""
FINE = (
    "accelerate launch fine_tune.py --pretrained_model_name_or_path=m.ckpt --in_json=meta.json"
    " --train_data_dir=pictures --dataset_repeats=2 --learning_rate=5e-6 --max_train_steps=10000"
    " --resolution=512 --enable_bucket --full_bf16"
)


def test_a_file_of_datasets():
    found, config = imported_of("learning_rate = 1e-5\n" + DATASETS)
    assert "alone" in reasons(found)["learning_rate 1e-05"]
    assert any("look at class_dir" in note for note in found.notes)
    assert (config.dataset.resolution, config.train.batch_size, config.dataset.bucket.enable) == (
        (512, 768),
        4,
        True,
    )
    assert (config.dataset.shuffle_caption, config.dataset.caption_extension) == (True, ".txt")
    assert not found.unknown
    run = run_of(DATASETS)
    assert [(Path(each.instance_dir).name, each.repeats, each.instance_prompt) for each in run.concept] == [
        ("frog", 3, "sls frog"),
        ("pond", 1, "sls pond"),
    ]
    assert (Path(run.concept[0].class_dir).name, run.concept[0].class_prompt) == ("frog", "frog")
    assert "not every subset says the same" in reasons(found)["subsets.keep_tokens 1"]
    assert "as often as the pictures" in reasons(found)["num_repeats 2"]


def test_captions_alone_are_fine_tuning():
    found, config = imported_of(
        '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "a"\nmetadata_file = "b"\nflip = 1\n'
    )
    assert config.method.captions == "finetune"
    assert "files beside the pictures" in reasons(found)["subsets.metadata_file b"]
    assert "no option of a subset" in reasons(found)["subsets.flip 1"]


@pytest.mark.parametrize("text", ["[[datasets]]\n", "datasets = 3\n", "[[datasets]]\nsubsets = 4\n"])
def test_a_file_of_datasets_without_pictures_is_refused(text):
    with pytest.raises(UserError, match="names no folder of pictures"):
        imported_of(text)


def test_fine_tune():
    found, config = imported_of(FINE)
    assert (config.method.captions, config.text_encoder.train) == ("finetune", False)
    assert (config.optimizer.learning_rate, config.train.max_steps, config.memory.full_bf16) == (
        5e-6,
        10000,
        False,
    )
    assert "does nothing with it" in reasons(found)["--full_bf16"]
    assert "files beside the pictures" in reasons(found)["--in_json meta.json"]
    (concept,) = run_of(FINE).concept
    assert (Path(concept.instance_dir).name, concept.repeats) == ("pictures", 2)
    _, config = imported_of(f"{FINE} --train_text_encoder --learning_rate_te=1e-6")
    assert (config.text_encoder.train, config.text_encoder.learning_rate) == (True, 1e-6)
    _, config = imported_of('in_json = "meta.json"\nlearning_rate = 1e-6\n')
    assert config.method.captions == "finetune"
