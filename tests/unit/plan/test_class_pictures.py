"""Class pictures that the start model will draw: a plan counts them before they exist, and finds them again."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from dbtui.cli.plan_json import plan_data
from dbtui.runs.plan_report import report
from trainer_core.config.bindings import require_bindings
from trainer_core.config.reader import parse_config
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.fingerprint import fingerprint
from trainer_core.models.sniff import sniff

FOUR = {"num_class_images": 4}


@pytest.fixture
def train(pictures) -> str:
    return str(pictures("own/2_sls frog", 3))


def draw(plan) -> None:
    """Write what the trainer would draw."""
    for each in plan.scan.drawn:
        each.folder.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(each.missing):
            if picture.caption:
                picture.caption.write_text(picture.words)
            Image.new("RGB", (64, 64), (number, 0, 0)).save(picture.path)


def contents(plan):
    """Everything that the training of a plan depends on."""
    return plan.items, plan.fits, plan.order, plan.total_steps, plan.formula, plan.balance, plan.buckets


def only(plan):
    assert plan.errors == ()
    (drawn,) = plan.scan.drawn
    return drawn


def faults(plan) -> str:
    return "\n".join(problem for error in plan.errors for problem in error.problems)


def test_the_plan_before_drawing_is_the_plan_after(plan, train):
    tables = {"dataset": {"train_dir": train, "bucket": {"enable": True, "min_reso": 64}}, "prior": FOUR}
    before = plan(**tables)
    drawn = only(before)
    assert (drawn.class_name, drawn.prompt, drawn.present, len(drawn.missing)) == ("frog", "frog", 0, 4)
    assert (before.balance[0].class_pictures, before.balance[0].used_count) == (4, 6)
    assert before.order.steps_per_epoch == 12
    assert before.buckets == {(64, 64): 7}
    assert {item.picture.caption for item in before.items if item.is_class} == {"frog"}
    assert before.disk.class_pictures == 4 * 64 * 64 * 3
    draw(before)
    after = plan(**tables)
    assert contents(after) == contents(before)
    assert (only(after).present, only(after).missing, after.disk.class_pictures) == (4, (), 0)


def test_they_are_in_the_cache_that_runs_share(plan, train, tmp_path):
    drawn = only(plan(dataset={"train_dir": train}, prior=FOUR))
    assert drawn.folder.parent == tmp_path / "runs/.cache/class_images"
    assert drawn.folder.name.startswith("frog-")


def test_nothing_is_drawn_unless_asked(plan, train):
    made = plan(dataset={"train_dir": train})
    assert made.scan.drawn == ()
    assert made.scan.classes == ()


def test_what_is_there_counts_and_is_named(plan, train, pictures):
    reg = pictures("reg/1_frog", 3)
    made = plan(dataset={"train_dir": train, "reg_dir": str(reg)}, prior=FOUR)
    drawn = only(made)
    assert (drawn.folder, drawn.present, drawn.foreign, len(drawn.missing)) == (reg / "1_frog", 3, 3, 1)
    (note,) = (note for note in made.notes if "not drawn for this prompt" in note)
    assert "3 pictures" in note
    assert "64x64-0.png" in note


def test_enough_is_enough(plan, train, pictures):
    reg = pictures("reg/1_frog", 6)
    drawn = only(plan(dataset={"train_dir": train, "reg_dir": str(reg)}, prior=FOUR))
    assert (drawn.present, drawn.missing) == (6, ())


def test_a_gap_is_filled_and_a_broken_picture_is_not_overwritten(plan, train):
    tables = {"dataset": {"train_dir": train, "on_bad_image": "skip"}, "prior": FOUR}
    first = plan(**tables)
    draw(first)
    paths = [picture.path for picture in only(first).missing]
    paths[1].unlink()
    assert [picture.path for picture in only(plan(**tables)).missing] == [paths[1]]
    paths[1].write_text("<html>")
    assert [picture.path.name[-9:] for picture in only(plan(**tables)).missing] == ["00004.png"]


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "another class"])
def test_the_folder_of_a_class_is_made_in_reg_dir(plan, train, tmp_path, pictures, there: str):
    reg = tmp_path / "regs"
    if there == "an empty folder":
        reg.mkdir()
    if there == "another class":
        pictures("regs/1_dog", 1)
    tables = {"dataset": {"train_dir": train, "reg_dir": str(reg)}, "prior": FOUR}
    before = plan(**tables)
    drawn = only(before)
    assert (drawn.folder, drawn.prompt, len(drawn.missing)) == (reg / "1_frog", "frog", 4)
    draw(before)
    assert contents(plan(**tables)) == contents(before)


def test_a_reg_dir_that_holds_something_else_is_still_a_fault(plan, train, pictures):
    loose = pictures("loose", 2) / "loose"
    made = plan(dataset={"train_dir": train, "reg_dir": str(loose)}, prior=FOUR)
    assert "lying loose" in faults(made)


def test_the_folder_of_a_concept(plan, train, tmp_path):
    concept = {
        "identifier": "sls",
        "class": "frog",
        "instance_dir": train + "/2_sls frog",
        "class_dir": str(tmp_path / "frogs"),
        "class_prompt": "a photo of a frog",
        "class_negative_prompt": "toad",
    }
    tables = {
        "dataset": {"train_dir": None},
        "concept": [concept],
        "prior": {**FOUR, "class_negative_prompt": "x"},
    }
    before = plan(**tables)
    drawn = only(before)
    assert (drawn.folder, drawn.prompt) == (tmp_path / "frogs", "a photo of a frog")
    assert drawn.negative_prompt == "toad"
    assert {picture.prompt for picture in drawn.missing} == {"a photo of a frog"}
    draw(before)
    assert contents(plan(**tables)) == contents(before)


def test_where_the_prompt_comes_from(plan, train, pictures):
    folder = train + "/2_sls frog"
    reg = str(pictures("reg/1_frog", 1))

    def prompts(dataset, **tables):
        made = plan(dataset=dataset, **tables)
        classes = {item.picture.caption for item in made.items if item.is_class}
        return classes, {each.prompt for each in made.scan.drawn}

    prior = {**FOUR, "class_prompt": "a frog"}
    concept = {"identifier": "sls", "class": "frog", "instance_dir": folder}
    own = {**concept, "class_prompt": "own frog"}
    assert prompts({"train_dir": train}, prior=FOUR) == ({"frog"}, {"frog"})
    assert prompts({"train_dir": train}, prior=prior) == ({"a frog"}, {"a frog"})
    assert prompts({"train_dir": None}, prior=prior, concept=[concept]) == ({"a frog"}, {"a frog"})
    assert prompts({"train_dir": None}, prior=prior, concept=[own]) == ({"own frog"}, {"own frog"})
    assert prompts({"train_dir": None, "reg_dir": reg}, prior=prior, concept=[own]) == ({"own frog"}, {"own frog"})
    assert prompts({"train_dir": train, "reg_dir": reg}, prior={"class_prompt": "a frog"}) == ({"a frog"}, set())


def test_a_caption_of_ones_own_beside_a_class_picture_stays(plan, train, pictures):
    reg = pictures("reg/1_frog", 1)
    (reg / "1_frog/64x64-0.txt").write_text("a green frog")
    made = plan(dataset={"train_dir": train, "reg_dir": str(reg)}, prior=FOUR)
    assert [item.picture.caption for item in made.items if item.is_class].count("a green frog") == 1


def test_each_class_and_each_prompt_gets_its_own(plan, train, pictures):
    pictures("own/1_cpc cat", 2)
    made = plan(dataset={"train_dir": train}, prior={**FOUR, "class_prompt": "a photo"})
    assert {each.class_name: len(each.missing) for each in made.scan.drawn} == {"frog": 4, "cat": 4}
    assert any("several classes" in note for note in made.notes)
    concepts = [
        {"identifier": "a", "class": "frog", "instance_dir": train + "/2_sls frog", "class_prompt": "a frog"},
        {"identifier": "b", "class": "Frog", "instance_dir": train + "/1_cpc cat", "class_prompt": "a drawing"},
    ]
    made = plan(dataset={"train_dir": None}, concept=concepts, prior=FOUR)
    assert sorted(each.prompt for each in made.scan.drawn) == ["a drawing", "a frog"]
    assert made.balance[0].class_pictures == 8


def test_prompts_that_could_not_be_used(plan, train, pictures, tmp_path):
    pictures("own/1_cpc cat", 2)
    first = {"identifier": "a", "class": "frog", "instance_dir": train + "/2_sls frog"}
    second = {"identifier": "b", "class": "frog", "instance_dir": train + "/1_cpc cat"}
    shared = {**first, "class_dir": str(tmp_path / "frogs"), "class_prompt": "a frog"}

    def told(*concepts):
        return faults(plan(dataset={"train_dir": None}, concept=list(concepts), prior=FOUR))

    assert "concept[2]: its class_prompt is not used" in told(shared, {**second, "class_prompt": "x"})
    assert "concept[2]: its class_negative_prompt is not used" in told(
        {**shared, "class_negative_prompt": "y"}, {**second, "class_negative_prompt": "x"}
    )
    assert "class pictures of different prompts" in told(
        shared, {**second, "class_dir": str(tmp_path / "frogs"), "class_prompt": "another"}
    )
    assert told(shared, second) == ""
    nameless = {"instance_dir": first["instance_dir"], "instance_prompt": "sls"}
    assert "its class can be drawn, since that is not known" in told(nameless)


def test_names_and_seeds_follow_what_a_picture_depends_on(plan, train, model_file, tmp_path):
    def pictures_of(resolution=(64, 64), extra=0.0, **tables):
        model = {"base": str(model_file(one=numpy_array(extra))), **tables.pop("model", {})}
        prior = {**FOUR, **tables.pop("prior", {})}
        dataset = {"train_dir": train, "resolution": list(resolution)}
        made = plan(model=model, dataset=dataset, prior=prior, **tables)
        return [(picture.path, picture.seed) for picture in only(made).missing]

    usual = pictures_of()
    assert len(set(usual)) == len({seed for _, seed in usual}) == 4
    same = [
        pictures_of(train={"seed": 7, "max_steps": 9}),
        pictures_of(prior={"infer_steps": 5, "guidance_scale": 3.0, "sample_batch_size": 4}),
        pictures_of(optimizer={"learning_rate": 1e-4}),
    ]
    assert all(each == usual for each in same)
    others = [
        pictures_of(prior={"class_prompt": "a frog"}),
        pictures_of(prior={"class_negative_prompt": "toad"}),
        pictures_of(resolution=(128, 64)),
        pictures_of(extra=1.0),
        pictures_of(model={"clip_skip": 2}),
        pictures_of(model={"prediction": "v"}),
    ]
    folders = [{path.parent for path, _ in each} for each in (usual, *others)]
    assert len(set().union(*folders)) == len(others) + 1
    assert all({seed for _, seed in each}.isdisjoint(seed for _, seed in usual) for each in others)


def numpy_array(value: float):
    import numpy

    return numpy.full((4,), value, numpy.float16)


def test_a_fine_tune_of_the_same_shapes_is_another_model(model_file, config, tmp_path):
    path = model_file("big.safetensors", extra=numpy_array(0))
    settings = config(model={"base": str(path)}).model
    first = fingerprint(settings, sniff(str(path)))
    assert fingerprint(settings, sniff(str(shutil.copy(path, tmp_path / "copy.safetensors")))) == first
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\x01" * 8192)
    assert fingerprint(settings, sniff(str(path))) != first


def test_filewords_take_the_words_of_the_subject_in_turn(plan, train):
    for number, words in enumerate(["on a stone", "in the water"]):
        (Path(train) / f"2_sls frog/64x64-{number}.txt").write_text(words)
    (Path(train) / "2_sls frog/64x64-2.png").rename(Path(train) / "2_sls frog/02 at night.png")
    prior = {**FOUR, "class_prompt": "a photo of a frog, [filewords]"}
    tables = {"dataset": {"train_dir": train}, "prior": prior}
    before = plan(**tables)
    drawn = only(before)
    wanted = ["at night", "on a stone", "in the water", "at night"]
    assert [picture.words for picture in drawn.missing] == wanted
    assert [picture.prompt for picture in drawn.missing] == [f"a photo of a frog, {words}" for words in wanted]
    draw(before)
    after = plan(**tables)
    assert contents(after) == contents(before)
    assert [picture.caption for picture in after.scan.classes[0].pictures] == [
        each.prompt for each in drawn.missing
    ]
    assert (drawn.folder / drawn.missing[0].path.name).with_suffix(".txt").read_text() == "at night"


def test_hybrid_takes_the_identifier_out_of_what_is_drawn(plan, train):
    (Path(train) / "2_sls frog/64x64-0.txt").write_text("sls on a stone")
    prior = {"num_class_images": 1, "class_prompt": "a photo of [filewords]"}
    tables = {"dataset": {"train_dir": train}, "prior": prior, "method": {"captions": "hybrid"}}
    before = plan(**tables)
    (picture,) = only(before).missing
    assert (picture.words, picture.prompt) == ("sls on a stone", "a photo of frog on a stone")
    draw(before)
    assert contents(plan(**tables)) == contents(before)


def test_the_class_of_a_style_is_what_it_is_a_style_of(plan, pictures):
    styles = str(pictures("styles/2_painting by sls", 1))
    drawn = only(plan(dataset={"train_dir": styles}, prior=FOUR))
    assert (drawn.class_name, drawn.prompt) == ("painting", "painting")


def test_a_class_that_is_not_trained_is_not_drawn(plan, train, tmp_path):
    concepts = [
        {"identifier": "sls", "class": "frog", "instance_dir": train + "/2_sls frog"},
        {"class": "dog", "class_dir": str(tmp_path / "dogs")},
    ]
    made = plan(dataset={"train_dir": None}, concept=concepts, prior=FOUR)
    assert [each.class_name for each in made.scan.drawn] == ["frog"]
    assert "dogs: does not exist" in faults(made)


def test_a_subject_that_is_not_there_is_the_only_fault(plan, tmp_path):
    concept = {"identifier": "sls", "class": "frog", "instance_dir": str(tmp_path / "none")}
    (text,) = faults(plan(dataset={"train_dir": None}, concept=[concept], prior=FOUR)).splitlines()
    assert "none: does not exist" in text


def test_names_of_drawn_pictures_are_no_captions(plan, train):
    dataset = {"train_dir": train, "use_filename_as_caption": True}
    before = plan(dataset=dataset, prior=FOUR)
    assert {item.picture.caption for item in before.items if item.is_class} == {"frog"}


def test_a_place_that_cannot_be_written(plan, train, tmp_path):
    (tmp_path / "file").write_text("")
    made = plan(dataset={"train_dir": train, "reg_dir": str(tmp_path / "file/reg")}, prior=FOUR)
    assert made.errors[-1].code is ExitCode.DISK
    assert "for its class pictures" in faults(made)


def test_the_plan_says_so(plan, config, train, pictures):
    tables = {"dataset": {"train_dir": train, "reg_dir": str(pictures("reg/1_frog", 1))}, "prior": FOUR}
    made = plan(**tables)
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(report(made, config(**tables)))
    text = console.export_text()
    assert '4 class pictures of frog, "frog": 1 there, 3 drawn by the start model (64 x 64, 30 steps' in text
    data = json.loads(json.dumps(plan_data(made, config(**tables)), default=str))
    (drawn,) = data["class_pictures"]
    assert (drawn["present"], drawn["foreign"], len(drawn["missing"])) == (1, 1, 3)
    assert data["disk"]["class_pictures"] == made.disk.class_pictures > 0


def test_prompts_that_nothing_uses_are_refused():
    def told(**tables):
        bound = {"model": {"base": "owner/name"}, **tables}
        with pytest.raises(UserError) as caught:
            require_bindings(Config.model_validate(bound))
        return "\n".join(caught.value.problems)

    train = {"dataset": {"train_dir": "/frogs"}}
    concept = {"instance_dir": "/frogs", "identifier": "sls", "class": "frog", "class_prompt": "a frog"}
    assert "prior.class_prompt is used only" in told(**train, prior={"class_prompt": "a frog"})
    assert "concept.class_prompt" in told(concept=[concept])
    assert "prior.class_prompt is used only" in told(concept=[concept], prior={**FOUR, "class_prompt": "x"})
    require_bindings(Config.model_validate({"model": {"base": "o/n"}, "concept": [concept], "prior": FOUR}))
    text = "schema = 1\n[prior]\nnum_class_images = 4\nguidance_scale = 1\nclass_negative_prompt = 'toad'\n"
    with pytest.raises(UserError, match="raise it or drop the prompt"):
        parse_config(text, "x")
    with pytest.raises(UserError, match="infer_steps"):
        parse_config("schema = 1\n[prior]\ninfer_steps = 4\n", "x")
