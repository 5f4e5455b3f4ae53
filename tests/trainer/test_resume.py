"""N steps equal k steps, a stop, and a resume: bit for bit, for every optimizer and precision."""

import json
import os
import shutil

import pytest
import torch

from trainer_core.config.schema import Optimizer
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.differences import as_event
from trainer_core.train.checkpoint import checkpoints, newest_valid, save_checkpoint
from trainer_core.train.resume import checkpoint_of, restore
from trainer_core.train.update_torch import FusedAdamW, RoundedAdamW

STEPS = 6
SLOW = pytest.mark.slow
VARIANTS = [
    pytest.param({"train": {"gradient_accumulation": 3}, "ema": {"enable": True}}, id="adamw-accumulation-ema"),
    pytest.param({"optimizer": {"type": "adamw8bit"}}, id="adamw8bit"),
    pytest.param({"memory": {"mixed_precision": "bf16", "full_bf16": True}}, id="full_bf16"),
    pytest.param(
        {
            "optimizer": {"type": "adafactor"},
            "dataset": {
                "cache_latents": "off",
                "flip_aug": True,
                "random_crop": True,
                "color_aug": 0.2,
                "brightness_aug": 0.2,
                "rotate_aug": 10.0,
                "caption_dropout_rate": 0.3,
                "tag_dropout_rate": 0.3,
                "shuffle_caption": True,
            },
            "loss": {"noise_offset": 0.1, "ip_noise_gamma": 0.1},
        },
        id="adafactor-everything-random",
    ),
    pytest.param(
        {
            "optimizer": {"type": "lion", "learning_rate": 1e-5},
            "dataset": {"cache_latents": "disk", "flip_aug": True},
            "text_encoder": {"stop_at_step": 3, "learning_rate": 1e-5},
        },
        id="lion-disk-text-stop",
    ),
    pytest.param({"optimizer": {"type": "prodigy", "learning_rate": 1.0}}, id="prodigy", marks=SLOW),
    pytest.param(
        {"optimizer": {"type": "adamw_schedulefree"}, "scheduler": {"type": "constant"}},
        id="schedule-free",
        marks=SLOW,
    ),
    pytest.param(
        {"memory": {"mixed_precision": "bf16", "full_bf16": True}, "optimizer": {"type": "adamw8bit"}},
        id="full_bf16-8bit",
        marks=SLOW,
    ),
    pytest.param(
        {
            "memory": {"mixed_precision": "bf16", "full_bf16": True},
            "optimizer": {"type": "lion8bit", "learning_rate": 1e-5},
            "ema": {"enable": True},
        },
        id="full_bf16-lion8bit-ema",
        marks=SLOW,
    ),
    pytest.param(
        {"dataset": {"cache_latents": "off"}, "train": {"batch_size": 2}}, id="uncached-batch", marks=SLOW
    ),
]


def weights(job):
    return {name: parameter.detach().clone() for name, parameter in job.parameters.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_training_is_bit_for_bit_the_uninterrupted_one(variant, make_job, run_job, tmp_path):
    train = {"max_steps": STEPS, "workers": 1, **variant.get("train", {})}
    tables = {"scheduler": {"type": "cosine"}, **variant, "train": train}
    whole = make_job(**tables)
    expected = [report.loss for report in run_job(whole)]
    seen = []
    for part in (2, 1, 3):  # twice in a row, in the middle of an epoch
        job = make_job(**tables)
        if found := newest_valid(tmp_path)[0]:
            assert restore(job, found) == []
        seen += [report.loss for report in run_job(job, part)]
        save_checkpoint(tmp_path, checkpoint_of(job))
    assert seen == expected
    assert same(weights(whole), weights(job))
    with whole.kept_weights(), job.kept_weights():
        assert same(weights(whole), weights(job))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints") / "two"


@pytest.fixture
def two_checkpoints(made_once, make_job, run_job, tmp_path):
    """Checkpoints of the first two steps of four."""
    if not made_once.exists():
        job = make_job(train={"max_steps": 4, "workers": 1})
        for _ in range(2):
            run_job(job, 1)
            save_checkpoint(made_once, checkpoint_of(job))
    return shutil.copytree(made_once, tmp_path / "checkpoints")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "no manifest", "stray"])
def test_a_damaged_checkpoint_is_passed_over(damage, two_checkpoints):
    newest = two_checkpoints / "000002"
    file = newest / "weights.safetensors"
    match damage:
        case "truncated":
            file.write_bytes(file.read_bytes()[:-100])
        case "flipped":
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
        case "missing":
            file.unlink()
        case "no manifest":
            (newest / "manifest.json").unlink()
        case "stray":
            newest.rename(two_checkpoints / ".tmp-000002-abc")
    found, passed_over = newest_valid(two_checkpoints)
    assert found.name == "000001"
    assert [("000002 is damaged" in reason) for reason in passed_over] == [True] * (damage != "stray")


@pytest.mark.row(33)
def test_the_two_newest_are_kept_by_step_and_not_by_time(two_checkpoints, make_job, run_job):
    job = make_job(train={"max_steps": 4, "workers": 1})
    run_job(job, 3)
    save_checkpoint(two_checkpoints, checkpoint_of(job))
    assert [path.name for path in checkpoints(two_checkpoints)] == ["000002", "000003"]
    shutil.copytree(two_checkpoints / "000002", two_checkpoints / "000010")
    assert [path.name for path in checkpoints(two_checkpoints)] == ["000002", "000003", "000010"]


@pytest.mark.row(31)
def test_what_decides_the_learning_may_not_change_and_the_rest_may(two_checkpoints, make_job):
    path = checkpoints(two_checkpoints)[-1]
    other = make_job(
        train={"max_steps": 4, "workers": 1}, optimizer={"learning_rate": 2e-4}, prior={"weight": 0.5}
    )
    with pytest.raises(UserError, match=r"learning_rate was 0\.0001 and is 0\.0002") as caught:
        restore(other, path)
    assert caught.value.code is ExitCode.RESUME
    assert len(caught.value.problems) == 3
    assert "prior.weight was 1.0 and is 0.5" in "".join(caught.value.problems)
    assert other.step == 0
    allowed = restore(other, path, allow_changed=True)
    assert {each.what for each in allowed if not each.is_safe} == {"optimizer.learning_rate", "prior.weight"}
    assert other.step == 2
    longer = make_job(train={"max_steps": 9, "workers": 2}, save={"every_n_steps": 3})
    changed = {"train.max_steps": [4, 9], "train.workers": [1, 2], "save.every_n_steps": [None, 3]}
    assert as_event(restore(longer, path)) == changed
    assert longer.step == 2


def test_a_picture_that_was_replaced_is_noticed(two_checkpoints, make_job, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "data")
    moved = {"train_dir": str(tmp_path / "data" / "train"), "reg_dir": str(tmp_path / "data" / "reg")}
    path, train = checkpoints(two_checkpoints)[-1], {"max_steps": 4, "workers": 1}
    assert {each.what for each in restore(make_job(train=train, dataset=moved), path)} == {
        "dataset.train_dir",
        "dataset.reg_dir",
    }
    folder = tmp_path / "data" / "train" / "2_sls frog"
    shutil.copy(folder / "00.png", folder / "01.png")  # of the same name and size
    with pytest.raises(UserError, match=r"pictures: 1 of other content \(01.png\)") as caught:
        restore(make_job(train=train, dataset=moved), path)
    assert caught.value.code is ExitCode.RESUME


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"text_encoder": {"train": False}}, "text_encoder.stop_at_step = 2"),
        ({"optimizer": {"type": "prodigy"}}, 'optimizer "prodigy" cannot go on with the state of "adamw"'),
        ({"memory": {"mixed_precision": "bf16", "full_bf16": True}}, "of another type"),
        ({"train": {"max_steps": 1}}, "train.max_steps = 2 ends it here"),
        ({"method": {"train": "lora"}}, "trained now, but not then"),
    ],
)
def test_a_state_that_cannot_fit_is_refused_whatever_is_allowed(tables, words, two_checkpoints, make_job):
    job = make_job(**{"train": {"max_steps": 4, "workers": 1}, **tables})
    with pytest.raises(UserError, match=words) as caught:
        restore(job, checkpoints(two_checkpoints)[-1], allow_changed=True)
    assert caught.value.code is ExitCode.RESUME
    assert job.step == 0


def test_an_average_may_begin_in_the_middle(two_checkpoints, make_job):
    job = make_job(train={"max_steps": 4, "workers": 1}, ema={"enable": True})
    restore(job, checkpoints(two_checkpoints)[-1], allow_changed=True)
    assert same(weights(job), job.average.tensors)


def test_names_that_are_not_utf8_can_be_saved(make_job, run_job, pictures, tmp_path):
    folder = tmp_path / "odd" / "1_sls frog"
    folder.mkdir(parents=True)
    source = next((pictures / "train" / "2_sls frog").iterdir())
    shutil.copy(source, folder / os.fsdecode(b"b\xff.png"))
    job = make_job(reg=False, dataset={"train_dir": str(folder.parent)}, train={"max_steps": 2, "workers": 1})
    run_job(job, 1)
    saved, _ = save_checkpoint(tmp_path / "checkpoints", checkpoint_of(job))
    restore(job, saved)


@pytest.mark.row(28)
def test_a_checkpoint_of_a_newer_format_is_refused(two_checkpoints, make_job):
    path = two_checkpoints / "000002"
    state = json.loads((path / "state.json").read_text())
    state |= {"format": 99, "version": "9.0"}
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=r"9\.0.*newer") as caught:
        restore(make_job(train={"max_steps": 4, "workers": 1}), path)
    assert caught.value.code is ExitCode.RESUME


def test_a_state_is_put_into_what_is_there_and_lies_in_memory_once():
    settings, groups = Optimizer(type="adamw"), [[torch.nn.Parameter(torch.ones(3, 2))]]
    made = FusedAdamW(groups, settings), RoundedAdamW(groups, settings, exact_skip=False)
    for optimizer in made:
        places = [value.data_ptr() for value in optimizer.state()[0].values() if torch.is_tensor(value)]
        optimizer.load([{name: value + 1 for name, value in state.items()} for state in optimizer.state()])
        (after,) = optimizer.state()
        tensors = [value for value in after.values() if torch.is_tensor(value)]
        assert [value.data_ptr() for value in tensors] == places
        assert all(bool((value == 1).all()) for value in tensors)
