"""What a checkpoint remembers against what is there now: every difference is told, and only some are safe."""

from copy import deepcopy
from pathlib import Path

import pytest

from trainer_core.config.schema import Config
from trainer_core.data.buckets import Fit
from trainer_core.data.dataset import Item, Picture
from trainer_core.errors import ExitCode, UserError
from trainer_core.resume.differences import as_event, compare, refuse_unsafe, since_file
from trainer_core.resume.facts import facts_of
from trainer_core.resume.words import resumed_words

STEP = 500


def config_of(**tables):
    return Config.model_validate({"schema": 1, "model": {"base": "/nowhere.safetensors"}, **tables})


def facts(config, pictures=("a.png", "b.png"), digests=None, total=1000, **more):
    items = [item_of(name) for name in pictures]
    fits = [Fit(source=(64, 64), resize=(64, 64), crop=(0, 0, 64, 64)) for _ in items]
    known = {Path(name): f"content of {name}" for name in pictures} | (digests or {})
    return facts_of(config, items, fits, known, total_steps=total, **more)


def item_of(name, caption="sls frog"):
    picture = Picture(path=Path(name), size=(64, 64), caption=caption, caption_from="folder")
    return Item(picture=picture, is_class=False, repeats=2)


def differences(was, now, config):
    return {each.what: each for each in compare(was, now, config, STEP)}


def test_what_is_the_same_makes_no_difference():
    config = config_of(concept=[{"identifier": "sls", "class": "frog"}])
    assert compare(facts(config), facts(config), config, STEP) == []


def test_settings_are_told_with_their_old_and_new_value():
    was = config_of(concept=[{"identifier": "sls", "class": "frog"}], optimizer={"betas": [0.9, 0.99]})
    now = config_of(
        concept=[{"identifier": "sks", "class": "frog"}, {"identifier": "abc", "class": "cat"}],
        sample={"prompts": [{"prompt": "a frog"}]},
        save={"every_n_steps": 10},
    )
    found = differences(facts(was), facts(now), now)
    assert found["concept[1].identifier"].line() == "concept[1].identifier: sls -> sks"
    assert found["concept[2].identifier"].line() == "concept[2].identifier: not set -> abc"
    assert found["optimizer.betas"].sentence() == "optimizer.betas was [0.9, 0.99] and is [0.9, 0.999]"
    safe = {what for what, each in found.items() if each.is_safe}
    assert {"save.every_n_steps", "sample.prompts[1].prompt"} <= safe
    assert not safe & {"concept[1].identifier", "concept[2].class", "optimizer.betas"}
    assert as_event(found.values())["concept[1].identifier"] == ["sls", "sks"]


def test_what_is_not_safe_is_refused_with_every_reason_and_the_next_action():
    was, now = (
        config_of(),
        config_of(optimizer={"learning_rate": 2e-6}, loss={"min_snr_gamma": 5.0}, train={"seed": 1}),
    )
    found = compare(facts(was), facts(now), now, STEP)
    with pytest.raises(UserError) as caught:
        refuse_unsafe(found, "000500", "frog")
    assert caught.value.code is ExitCode.RESUME
    *reasons, action = caught.value.problems
    assert len(reasons) == 3
    assert "optimizer.learning_rate was 1e-06 and is 2e-06" in reasons[0] + reasons[1] + reasons[2]
    assert "dbtui resume frog --allow-changed" in action
    refuse_unsafe([each for each in found if each.is_safe], "000500", "frog")


def test_pictures_are_told_by_what_happened_to_them():
    config = config_of()
    was = facts(config, ("a.png", "b.png", "c.png", "d.png", "e.png"))
    now = deepcopy(was)
    rows = {row[0]: row for row in now["pictures"]}
    rows["a.png"][5] = "other"
    rows["b.png"][1] = "a frog"
    rows["c.png"][3] = 7
    rows["d.png"][0] = "renamed.png"
    rows["e.png"][0], rows["e.png"][5] = "new.png", "new"
    (found,) = compare(was, now, config, STEP)
    assert not found.is_safe
    for words in (
        "1 gone (e.png)",
        "1 new (new.png)",
        "1 renamed (d.png to renamed.png)",
        "1 of other content (a.png)",
        "1 with another caption (b.png)",
        "1 with other repeats, size or role (c.png)",
    ):
        assert words in found.line()
    now = {**was, "pictures": was["pictures"][::-1]}
    assert [each.line() for each in compare(was, now, config, STEP)] == ["pictures: in another order"]
    many = {**was, "pictures": [[f"{number}.png", *was["pictures"][0][1:5], ""] for number in range(20)]}
    assert "20 new (0.png, 1.png, 2.png, 3.png, 4.png and 15 more)" in compare(was, many, config, STEP)[0].line()


def test_a_schedule_over_more_steps_goes_on_at_another_rate():
    cosine, constant = config_of(scheduler={"type": "cosine"}), config_of()
    (rate,) = compare(facts(cosine), facts(cosine, total=2000), cosine, STEP)
    assert rate.is_safe
    assert rate.line() == "learning rate after step 500: 5e-07 -> 8.536e-07"
    assert compare(facts(constant), facts(constant, total=2000), constant, STEP) == []


def test_a_model_may_move_but_not_change(tmp_path):
    import numpy
    from safetensors.numpy import save_file

    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        "model.diffusion_model.out.2.weight": (4, 320, 3, 3),
        "first_stage_model.encoder.conv_in.weight": (4, 4),
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (4, 4),
    }
    first, moved, other = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors"))
    for path, value in ((first, 1.0), (moved, 1.0), (other, 2.0)):
        save_file({name: numpy.full(shape, value, numpy.float16) for name, shape in shapes.items()}, path)
    was = config_of(model={"base": str(first)})
    for path, is_safe in ((moved, True), (other, False)):
        now = config_of(model={"base": str(path)})
        found = compare(facts(was), facts(now), now, STEP)
        assert all(each.is_safe for each in found) is is_safe
        assert {each.what for each in found} - {"start model"} == {"model.base"}


def test_another_library_or_device_is_told_and_safe():
    config = config_of()
    was, now = facts(config, device="H100"), facts(config, device="A100")
    was["made_with"]["torch"] = "1.0"
    found = differences(was, now, config)
    assert found["with device"].line() == "with device: H100 -> A100"
    assert found["with torch"].was == "1.0"
    assert all(each.is_safe for each in found.values())
    assert "with device" not in differences(was, facts(config), config)


def test_facts_of_format_1_lack_what_is_then_not_compared():
    config = config_of(concept=[{"identifier": "sls", "class": "frog"}], scheduler={"type": "cosine"})
    whole = facts(config)
    old = {
        "settings": {key: value for key, value in whole["settings"].items() if "[" not in key},
        "pictures": [row[:5] for row in whole["pictures"]],
    }
    del old["settings"]["loss.min_snr_gamma"]  # a setting of later: it had its default
    old["settings"]["loss.gone"] = 3  # one that is no more
    assert compare(old, facts(config, digests={Path("a.png"): "other"}), config, STEP) == []
    moved = config_of(model={"base": "/elsewhere.safetensors"}, concept=[{"identifier": "sls", "class": "frog"}])
    assert not differences(old, facts(moved), moved)["model.base"].is_safe


def test_before_the_first_state_everything_may_change():
    found = since_file(config_of(), config_of(optimizer={"learning_rate": 1e-5}, train={"max_steps": 5}))
    assert {each.what for each in found} == {"optimizer.learning_rate", "train.max_steps"}
    assert all(each.is_safe and each.is_setting for each in found)


def test_a_resume_is_told_in_words_whatever_the_event_holds():
    assert resumed_words(7, None) == resumed_words(7, {}) == "resumed from step 7"
    assert resumed_words(7, {"train.max_steps": [4, None]}) == (
        "resumed from step 7, changed: train.max_steps 4 -> not set"
    )
    odd = resumed_words(7, {f"a{number}": [1, "\x1b[31m"] if number else 3 for number in range(9)})
    assert odd.endswith("and 5 more")
    assert "\x1b" not in odd
