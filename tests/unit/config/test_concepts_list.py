"""A concepts_list.json taken over: each field, what cannot be taken, and files that anyone may have written."""

import json

import pytest

from trainer_core.config.concepts_list import read_concepts_list
from trainer_core.config.reader import parse_config
from trainer_core.errors import ExitCode, UserError

EXTENSION = {
    "instance_data_dir": "zwx",
    "class_data_dir": "dog",
    "instance_prompt": "photo of zwx dog",
    "class_prompt": "photo of a dog",
    "instance_token": "zwx",
    "class_token": "dog",
    "class_negative_prompt": "ugly",
    "class_guidance_scale": 6,
    "class_infer_steps": 40,
    "num_class_images": 20,
    "num_class_images_per": 0,
    "save_sample_prompt": "zwx on a beach",
    "save_sample_negative_prompt": "blurry",
    "save_sample_template": "",
    "n_save_sample": 2,
    "sample_seed": 77,
    "save_guidance_scale": 8.5,
    "save_infer_steps": 25,
}


@pytest.fixture
def take(tmp_path):
    """Return a function that writes a list and takes it over; it gives the configuration and the notes."""

    def run(content, text="schema = 1\n"):
        path = tmp_path / "lists" / "concepts_list.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        listed = read_concepts_list(path, parse_config(text, "run.toml"))
        return parse_config(text, "run.toml", over=[listed.layer]), [
            note.partition(": ")[2] for note in listed.notes
        ]

    return run


def problem_of(take, content, text="schema = 1\n"):
    with pytest.raises(UserError) as caught:
        take(content, text)
    assert caught.value.code == ExitCode.CONFIG
    assert all("concepts_list.json" in problem for problem in caught.value.problems)
    return [problem.partition("concepts_list.json")[2].lstrip(": ") for problem in caught.value.problems]


def test_the_four_fields_of_the_tutorial(take, tmp_path):
    concept = {
        "instance_prompt": "photo of zwx dog",
        "class_prompt": "photo of a dog",
        "instance_data_dir": "data/zwx",
        "class_data_dir": "/content/data/dog",
    }
    config, notes = take([concept, {**concept, "instance_data_dir": "../ukj"}])
    assert notes == []
    first, second = config.concept
    assert (first.instance_prompt, first.class_prompt) == ("photo of zwx dog", "photo of a dog")
    assert first.instance_dir == str(tmp_path / "lists" / "data" / "zwx")
    assert first.class_dir == "/content/data/dog"
    assert second.instance_dir == str(tmp_path / "ukj")


def test_every_field_of_the_extension(take):
    config, notes = take([EXTENSION])
    assert notes == []
    (concept,) = config.concept
    assert (concept.identifier, concept.class_, concept.class_negative_prompt) == ("zwx", "dog", "ugly")
    prior, sample = config.prior, config.sample
    assert (prior.num_class_images, prior.infer_steps, prior.guidance_scale) == (20, 40, 6)
    assert sample.num_per_prompt == 2
    (prompt,) = sample.prompts
    assert (prompt.prompt, prompt.negative_prompt) == ("zwx on a beach", "blurry")
    assert (prompt.seed, prompt.steps, prompt.guidance_scale) == (77, 25, 8.5)


def test_what_is_one_number_here_is_taken_where_all_agree(take):
    other = {**EXTENSION, "class_infer_steps": 20, "n_save_sample": 3, "save_sample_prompt": "", "max_steps": 500}
    config, notes = take([EXTENSION, other])
    assert config.prior.num_class_images == 20
    assert config.prior.infer_steps == 30
    assert config.sample.num_per_prompt == 1
    assert [note.partition(" ")[0] for note in notes] == ["class_infer_steps", "n_save_sample", "max_steps"]
    assert notes[0].endswith("one number for all concepts here, prior.infer_steps, and not 40, 20")


def test_class_pictures_for_each_picture_become_their_number(take, tmp_path):
    (folder := tmp_path / "lists" / "zwx").mkdir(parents=True)
    for name in ("1.png", "2.jpg", "3.webp", "1.txt"):
        (folder / name).write_bytes(b"")
    config, notes = take([{**EXTENSION, "num_class_images": 0, "num_class_images_per": 4}])
    assert (config.prior.num_class_images, notes) == (12, [])


def test_previews_are_added_to_those_of_the_file(take):
    text = "schema = 1\n[[sample.prompts]]\nprompt = 'mine'\nseed = 5\n"
    config, notes = take(
        [EXTENSION, {**EXTENSION, "save_sample_prompt": "zwx, [filewords]", "sample_seed": -1}], text
    )
    assert [(each.prompt, each.seed) for each in config.sample.prompts] == [
        ("mine", 5),
        ("zwx on a beach", 77),
        ("zwx", 1),
    ]
    assert notes == ['save_sample_prompt of concept 2: a preview has no [filewords]; "zwx" is drawn']


def test_what_has_no_effect_in_this_run_is_named(take):
    without = {**EXTENSION, "num_class_images": 0, "class_data_dir": "", "save_sample_prompt": None}
    config, notes = take([without])
    assert config.concept[0].class_prompt is None
    assert config.sample.prompts == []
    assert "no save_sample_prompt is given" in notes[0]
    for name in ("concept.class_negative_prompt", "prior.guidance_scale", "prior.infer_steps", "class_prompt of"):
        assert any(note.startswith(name) and "not taken over" in note for note in notes)
    assert len(notes) == 5


def test_other_fields_are_named(take):
    concept = {"instance_data_dir": "zwx", "instance_promt": "x", "save_sample_template": "t.txt", "\x1b[31m": 1}
    _, notes = take([concept])
    assert notes == [
        "save_sample_template is not taken over: its grammar is the extension's; write the prompts into a file and"
        " name it as sample.prompts_file",
        r"2 unknown fields not taken over: instance_promt, \x1b[31m",
    ]


def test_a_token_beside_filewords_is_a_matter_of_the_method(take):
    concept = {"instance_data_dir": "zwx", "instance_prompt": "[filewords]", "instance_token": "zwx"}
    (note,) = take([concept])[1]
    assert 'method.captions = "hybrid"' in note
    assert take([concept], 'schema = 1\n[method]\ncaptions = "hybrid"\n')[1] == []
    config, notes = take([concept], 'schema = 1\n[method]\ncaptions = "finetune"\n')
    assert config.concept[0].identifier is None
    assert "concept.identifier (in [[concept]] number 1) is not taken over" in notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "must be a list of concepts, [ ... ], not an object"),
        ("[]", "holds 0 concepts"),
        ("[1]", "concept 1 must be an object"),
        ("[{}]", "concept 1 has no instance_data_dir"),
        ('[{"instance_data_dir": 5}]', "instance_data_dir must be text, not 5"),
        ('[{"instance_data_dir": "a", "n_save_sample": "4"}]', 'n_save_sample must be a whole number, not "4"'),
        ('[{"instance_data_dir": "a", "sample_seed": true}]', "sample_seed must be a whole number, not true"),
        ('[{"instance_data_dir": "a", "class_guidance_scale": NaN}]', "NaN is not a number"),
        ('[{"instance_data_dir": "a", "class_guidance_scale": 1e999}]', "class_guidance_scale must be a number"),
        ('[{"instance_data_dir": "a", "instance_data_dir": "b"}]', '"instance_data_dir" stands twice'),
        ('[{"instance_data_dir": "a\\u0000b"}]', "characters that no file can hold"),
        ('[{"instance_data_dir": "a", "class_token": "\\ud800"}]', "characters that no file can hold"),
        ('concepts_list = [\n{"instance_data_dir": "a"}]', "keep the list from [ to ] alone"),
        ('[\n# {"a": 1}\n]', "line 2, column 1: not valid JSON"),
        ('[{"instance_data_dir": "a"},\n]', "no comma behind it"),
        ("", "line 1, column 1: not valid JSON"),
        ("[" * 50_000, "nested too deeply"),
        (f'[{{"instance_data_dir": "a", "sample_seed": {"9" * 5000}}}]', "thousands of digits"),
        ('[{"instance_data_dir": "' + "a" * 70_000 + '"}]', "is larger than"),
    ],
)
def test_hostile_files_give_one_clear_message(take, content, words):
    (problem,) = problem_of(take, content)
    assert words in problem


def test_every_problem_is_told_at_once(take):
    problems = problem_of(take, [{"instance_prompt": 1}, {"instance_data_dir": "a", "class_token": []}])
    assert [problem[:9] for problem in problems] == ["concept 1", "concept 1", "concept 2"]


def test_values_out_of_bounds_are_told_by_our_names(take):
    (problem,) = problem_of(take, [{**EXTENSION, "class_infer_steps": 5000}])
    assert problem.startswith("prior.infer_steps must be a whole number from 1 to 1000, not 5000")


def test_too_many_concepts_and_files_that_are_none(take, tmp_path):
    (problem,) = problem_of(take, [EXTENSION] * 65)
    assert "holds 65 concepts; it must be from 1 to 64" in problem
    config = parse_config("schema = 1\n", "x")
    for path, words in ((tmp_path, "is not a file"), (tmp_path / "gone.json", "does not exist")):
        with pytest.raises(UserError, match=words):
            read_concepts_list(path, config)
