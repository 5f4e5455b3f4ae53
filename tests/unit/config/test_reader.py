"""What a file means: versions, what it extends, `--set`, unused settings, rules and paths."""

import os

import pytest

from trainer_core.config import migrate
from trainer_core.config.reader import check_preset, parse_config, read_config
from trainer_core.config.schema import SCHEMA_VERSION, Config
from trainer_core.errors import ExitCode, UserError

PRESETS = {
    "small": 'schema = 1\n[preset]\nname = "small"\ntitle = "t"\nauthor = "a"\nmin_vram_gb = 8\n'
    '[[preset.measured]]\ngpu = "g"\npeak_vram_gb = 7.0\nit_per_s = 1.0\nversion = "1"\n'
    '[train]\nmax_steps = 1600\n[memory]\nmixed_precision = "fp16"\nfull_fp16 = true\n',
    "wide": 'schema = 1\nextends = "small"\n[dataset]\nresolution = [768, 512]\n',
    "circle-a": 'schema = 1\nextends = "circle-b"\n',
    "circle-b": 'schema = 1\nextends = "circle-a"\n',
    "bound": 'schema = 1\n[dataset]\ntrain_dir = "/pictures"\n',
    "typo": "schema = 1\n[train]\nmax_stepz = 3\n",
    "broken": "schema = 1\n[train\n",
    **{f"deep-{number}": f'schema = 1\nextends = "deep-{number + 1}"\n' for number in range(12)},
}
SMALL = 'schema = 1\nextends = "small"\n'


def read(text: str, **arguments) -> Config:
    return parse_config(text, "run.toml", find_preset=PRESETS.get, **arguments)


def test_nothing_but_the_version_gives_the_defaults():
    assert parse_config("schema = 1\n", "x") == Config()


class TestVersion:
    def test_missing(self, problems):
        assert problems("[train]\nseed = 1\n") == [
            'run.toml: schema is missing; add the line "schema = 1" at the top'
        ]

    @pytest.mark.row(37)
    def test_newer(self, problems):
        (problem,) = problems("schema = 99\n[new_table]\nx = 1\n")
        assert "made by a newer dbtui" in problem
        assert "schema 99" in problem

    @pytest.mark.parametrize("version", ["0", "-1", "true", '"1"', "1.0", "[1]", "0x" + "f" * 9000])
    def test_wrong(self, problems, version):
        (problem,) = problems(f"schema = {version}\n")
        assert "schema" in problem
        assert len(problem) < 200

    def test_older_versions_are_migrated_in_a_chain(self, monkeypatch):
        def rename_lr(tables):
            return {**tables, "optimizer": {"rate": tables["optimizer"]["lr"]}}

        def rename_rate(tables):
            return {**tables, "optimizer": {"learning_rate": tables["optimizer"]["rate"]}}

        monkeypatch.setattr(migrate, "MIGRATIONS", {-1: rename_lr, 0: rename_rate})
        for version, name in ((-1, "lr"), (0, "rate"), (1, "learning_rate")):
            config = parse_config(f"schema = {version}\n[optimizer]\n{name} = 3e-5\n", "x")
            assert config.optimizer.learning_rate == 3e-5
            assert config.schema_version == 1

    def test_the_chain_has_no_gap(self):
        first = min((*migrate.MIGRATIONS, SCHEMA_VERSION))
        assert sorted(migrate.MIGRATIONS) == list(range(first, SCHEMA_VERSION))


class TestExtends:
    def test_tables_merge_and_lists_replace(self):
        config = read('schema = 1\nextends = "wide"\n[dataset]\ncache_latents = "disk"\n')
        assert config.dataset.resolution == (768, 512)
        assert config.dataset.cache_latents == "disk"
        assert config.memory.full_fp16
        assert read('schema = 1\nextends = "wide"\n[dataset]\nresolution = [512, 640]\n').dataset.resolution == (
            512,
            640,
        )

    def test_words_about_the_parent_are_not_inherited_with_other_settings(self):
        changed = read(SMALL + "[optimizer]\neps = 1e-7\n").preset
        assert (changed.title, changed.min_vram_gb, changed.measured) == ("", None, [])
        assert (changed.name, changed.author) == ("small", "a")
        bound = read(SMALL + '[model]\nbase = "m.safetensors"\n').preset
        assert (bound.title, bound.min_vram_gb, len(bound.measured)) == ("t", 8, 1)

    def test_epochs_replace_inherited_steps(self):
        train = read(SMALL + "[train]\nepochs = 3\n").train
        assert (train.max_steps, train.epochs) == (None, 3)
        train = read(SMALL + "[train]\nepochs = 3\n", overrides=["train.max_steps=7"]).train
        assert (train.max_steps, train.epochs) == (7, None)

    def test_an_inherited_setting_that_the_file_turns_off_is_dropped(self):
        memory = read(SMALL + '[memory]\nmixed_precision = "bf16"\n').memory
        assert (memory.mixed_precision, memory.full_fp16) == ("bf16", False)

    def test_naming_it_anyway_is_an_error(self):
        with pytest.raises(UserError, match=r"memory\.full_fp16 is used only with"):
            read(SMALL + '[memory]\nmixed_precision = "bf16"\nfull_fp16 = true\n')

    @pytest.mark.parametrize(
        ("extends", "told"),
        [
            (
                '"circle-a"',
                'preset "circle-b": extends goes in a circle: circle-a extends circle-b extends circle-a',
            ),
            ('"deep-0"', "extends more than 8 presets in a chain"),
            ('"nowhere"', 'run.toml: extends "nowhere", which is not a preset'),
            ('"../up"', 'run.toml: extends must be the name of a preset, not "../up"'),
            ('"/etc/passwd"', "must be the name of a preset"),
            ('".."', "must be the name of a preset"),
            ("3", "must be the name of a preset, not 3"),
            ('["small"]', 'must be the name of a preset, not ["small"]'),
            ('"bound"', 'preset "bound": dataset.train_dir belongs to one machine'),
            ('"typo"', 'preset "typo": train.max_stepz is not a setting (did you mean max_steps?)'),
            ('"broken"', 'preset "broken": line 2, column 7: not valid TOML'),
        ],
    )
    def test_what_cannot_be_extended(self, extends, told):
        with pytest.raises(UserError) as caught:
            read(f"schema = 1\nextends = {extends}\n[train]\nseeed = 1\n")
        assert told in "\n".join(caught.value.problems)
        assert "run.toml: train.seeed is not a setting (did you mean seed?)" in caught.value.problems

    def test_without_a_library_the_way_out_is_said(self, problems):
        (problem,) = problems(SMALL)
        assert "dbtui run FILE --dry-run" in problem


class TestSet:
    @pytest.mark.parametrize(
        ("override", "path", "value"),
        [
            ("train.max_steps=12", "train.max_steps", 12),
            ("optimizer.learning_rate = 2e-6", "optimizer.learning_rate", 2e-6),
            ("text_encoder.train=false", "text_encoder.train", False),
            ("dataset.resolution=[512, 768]", "dataset.resolution", (512, 768)),
            ("optimizer.type=adamw", "optimizer.type", "adamw"),
            ('optimizer.type="adamw"', "optimizer.type", "adamw"),
            ("preset.title=a = b", "preset.title", "a = b"),
            ("preset.title=two words # not a comment", "preset.title", "two words # not a comment"),
            ("preset.title=1\nseed = 3", "preset.title", "1\nseed = 3"),
        ],
    )
    def test_a_value(self, override, path, value):
        found = parse_config("schema = 1\n", "x", overrides=[override])
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value

    def test_a_list_of_tables(self):
        config = parse_config("schema = 1\n", "x", overrides=['concept=[{identifier = "sls", class = "frog"}]'])
        assert config.concept[0].class_ == "frog"

    def test_the_last_one_wins(self):
        assert parse_config("schema = 1\n", "x", overrides=["train.seed=1", "train.seed=2"]).train.seed == 2

    @pytest.mark.parametrize(
        ("override", "told"),
        [
            ("train.max_step=1", "--set: train.max_step is not a setting (did you mean max_steps?)"),
            ("train.seed=", "--set: train.seed=: no value is given"),
            ("seed=1", "--set: seed=1 is not of the form section.key=value"),
            ("train.seed", "--set: train.seed is not of the form section.key=value"),
            ("train.seed=one", '--set: train.seed must be a whole number from 0 to 2147483647, not "one"'),
            ("dataset.resolution=[512", "--set: dataset.resolution=[512: its value is not TOML"),
            ("save.output_name=[a", "--set: save.output_name=[a: its value is not TOML; text that begins with a"),
            ("scheduler.power=2.0", '--set: scheduler.power is used only with scheduler.type = "polynomial"'),
            ("concept.repeats=2", "--set: concept must be a list of tables: write [[concept]] with two brackets"),
            ("__class__.x=1", "--set: __class__ is not a table"),
        ],
    )
    def test_what_it_cannot_be(self, problems, override, told):
        (problem,) = problems("schema = 1\n", overrides=[override])
        assert problem.startswith(told)

    def test_it_can_turn_off_what_the_file_uses(self):
        text = 'schema = 1\n[scheduler]\ntype = "polynomial"\npower = 2.0\n'
        assert parse_config(text, "x", overrides=["scheduler.type=constant"]).scheduler.power == 1.0


class TestRules:
    def test_steps_and_epochs_exclude_each_other(self, problems):
        assert problems("schema = 1\n[train]\nmax_steps = 3\nepochs = 1\n") == [
            "run.toml: train.max_steps and train.epochs cannot both be given; remove one of them"
        ]

    @pytest.mark.parametrize(
        ("bucket", "told"),
        [
            ("min_reso = 1100", "the smallest side cannot exceed the largest"),
            ("min_reso = 576", "at most the shorter side of dataset.resolution, 512"),
            ("max_reso = 640", "at least the longer side of dataset.resolution, 768"),
            ("no_upscale = true\nmin_reso = 256", "is used only with dataset.bucket.no_upscale = false"),
        ],
    )
    def test_bucket_sides_fit_the_resolution(self, problems, bucket, told):
        text = f"schema = 1\n[dataset]\nresolution = [512, 768]\n[dataset.bucket]\nenable = true\n{bucket}\n"
        (problem,) = problems(text)
        assert told in problem

    def test_nothing_is_derived_from_a_value_that_is_wrong_itself(self, problems):
        bucket = '[dataset.bucket]\nenable = true\nmax_reso = "x"\n'
        text = f'schema = 1\n{bucket}[scheduler]\ntype = "cosin"\npower = 2.0\n'
        assert len(problems(text)) == 2

    def test_a_revision_needs_a_hub_id(self, problems):
        text = 'schema = 1\n[model]\nrevision = "main"\nbase = "{}"\n'
        assert "model.revision is used only with a Hub id" in problems(text.format("./m.safetensors"))[0]
        assert parse_config(text.format("owner/name"), "x").model.base == "owner/name"


class TestPaths:
    def test_those_of_a_file_begin_at_its_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir("/")
        monkeypatch.setenv("HOME", "/home/me")
        file = tmp_path / "run.toml"
        file.write_text(
            'schema = 1\n[model]\nbase = "m/a.safetensors"\nvae = "owner/vae"\n[save]\noutput_dir = "../out"\n'
            '[[concept]]\ninstance_dir = "~/frogs"\nclass_dir = "/abs"\n'
        )
        config = read_config(file, overrides=["dataset.train_dir=pics"])
        assert config.model.base == str(tmp_path / "m/a.safetensors")
        assert config.model.vae == "owner/vae"
        assert config.save.output_dir == str(tmp_path.parent / "out")
        assert (config.concept[0].instance_dir, config.concept[0].class_dir) == ("/home/me/frogs", "/abs")
        assert config.dataset.train_dir == "/pics"

    def test_a_folder_that_looks_like_a_hub_id_is_a_folder_if_it_exists(self, tmp_path):
        (tmp_path / "owner/name").mkdir(parents=True)
        config = parse_config('schema = 1\n[model]\nbase = "owner/name"\n', "x", folder=tmp_path)
        assert config.model.base == str(tmp_path / "owner/name")

    def test_environment_variables_are_not_expanded_and_that_is_said(self, problems):
        (problem,) = problems('schema = 1\n[dataset]\ntrain_dir = "$HOME/x"\n')
        assert "environment variable" in problem


class TestShareable:
    @pytest.mark.row(42)
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('[dataset]\ntrain_dir = "pics"', "dataset.train_dir belongs to one machine"),
            (
                '[[concept]]\ninstance_dir = "a"',
                "concept.instance_dir (in [[concept]] number 1) belongs to one machine",
            ),
            ('[preset]\ndescription = "for /home/me/frogs only"', 'contains an absolute path ("/home/me/frogs")'),
            ('[preset]\ndescription = "see ../up"', "leads out of its folder"),
            ('[preset]\ndescription = "see ~/x and more"', "home folder"),
            ('[preset]\nauthor = "$HOME"', "environment variable"),
            ("[preset]\nauthor = 'C:\\Users\\me'", "an absolute path"),
            ('[[sample.prompts]]\nprompt = "/root/x"', "an absolute path"),
            ("# hf_abcdefghijklmnopqrstuvwx", "line 2 looks like a Hugging Face token"),
            ('[preset]\nauthor = "hf_abcdefghijklmnopqrstuvwx"', "line 3 looks like a Hugging Face token"),
            ("# " + "0123456789" * 4, "line 2 looks like a Weights & Biases key"),
            ('[preset]\nauthor = "https://me:pass@host/"', "a password in an address"),
        ],
    )
    def test_what_cannot_leave_the_machine(self, text, told):
        with pytest.raises(UserError) as caught:
            check_preset(f"schema = 1\n{text}\n", "p.toml")
        assert told in "\n".join(caught.value.problems)
        assert "abcdefghijkl" not in "\n".join(caught.value.problems)

    @pytest.mark.parametrize(
        "text",
        [
            '[preset]\ndescription = "on/off, 24/7, and/or, 1/2, w/o; see https://example.org/a/b/c"',
            '[[sample.prompts]]\nprompt = "photo of sls frog, 8k/4k... ~nice~ $5"',
            f'[model]\nrevision = "{"0123456789" * 4}"',
        ],
    )
    def test_what_can(self, text):
        check_preset(f"schema = 1\n{text}\n", "p.toml")


class TestFile:
    def told(self, path) -> str:
        with pytest.raises(UserError) as caught:
            read_config(path)
        assert caught.value.code is ExitCode.CONFIG
        (problem,) = caught.value.problems
        return problem

    def test_what_is_no_file(self, tmp_path):
        fifo = tmp_path / "fifo.toml"
        os.mkfifo(fifo)
        loop = tmp_path / "loop.toml"
        loop.symlink_to(loop)
        assert self.told(tmp_path).endswith("is not a file; name a .toml file")
        assert self.told(fifo).endswith("is not a file; name a .toml file")
        assert "cannot be read" in self.told(loop)
        assert self.told(tmp_path / "none.toml").endswith("none.toml does not exist")
        assert "cannot be read" in self.told(tmp_path / "nul\0.toml")
        assert "cannot be read" in self.told(tmp_path / ("x" * 300))

    def test_a_byte_order_mark_is_accepted(self, tmp_path):
        file = tmp_path / "run.toml"
        file.write_bytes(b"\xef\xbb\xbfschema = 1\r\n[train]\r\nseed = 7\r\n")
        assert read_config(file).train.seed == 7

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("schema = 1".encode("utf-16"), "UTF-16"),
            (b"schema = 1\n# caf\xe9\n", "line 2 is not UTF-8 text"),
            (bytes(range(256)), "not UTF-8"),
            (b"\x7fELF\x00\x01", "not valid TOML"),
        ],
    )
    def test_what_is_no_text(self, tmp_path, content, told):
        file = tmp_path / "run.toml"
        file.write_bytes(content)
        assert told in self.told(file)

    def test_a_file_name_cannot_act_on_a_terminal(self, tmp_path):
        file = tmp_path / "\x1b[31m.toml"
        file.write_text("x")
        assert "\x1b" not in self.told(file)
