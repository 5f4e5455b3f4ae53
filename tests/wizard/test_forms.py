"""The form made from the schema: every setting there is can be shown, edited, and read back."""

from pathlib import Path
from typing import Literal, get_args

import pytest
from pydantic import Field

from dbtui.forms.form import Form, path_of, place_of
from dbtui.forms.listing import Adder, Heading, Line, best, groups, listing
from dbtui.forms.sentences import explained, shown
from dbtui.forms.typed import WrongTextError, read_text, text_of
from dbtui.forms.widgets.editors import EDITORS
from dbtui.wizard.answers import preset_values, resolved
from dbtui.wizard.draft import Draft
from dbtui.wizard.training.draft_form import form_of
from tests.wizard.other_values import another_text, met, paths_of_all
from tests.wizard.schema_of_tests import with_made_up
from trainer_core.config import schema
from trainer_core.config.declare import Table, UsedWhen, setting
from trainer_core.config.fields import Kind, all_fields, all_tables
from trainer_core.config.layer import settings_of
from trainer_core.config.problems import dotted
from trainer_core.config.schema import Config

HERE = Path("/somewhere")
PATHS = paths_of_all()


def a_form(preset: str = "sd15-12gb") -> Form:
    return form_of(Draft(preset=preset))


@pytest.mark.parametrize("path", PATHS, ids=place_of)
def test_every_setting_is_listed_with_its_help_and_takes_another_value(path):
    draft = Draft()
    met(path, draft)
    form = form_of(draft)
    text = another_text(path)
    lines = {
        entry.state.path: entry for entry in listing(form, with_unused=True).entries if isinstance(entry, Line)
    }
    words = explained(lines[path].state)
    assert all_fields()[dotted(path)].help in words
    assert form.state(path).unused == ""
    assert form.enter(path, text) == ""
    assert form.state(path).text == text
    assert form.state(path).is_changed
    config = resolved(draft)
    written = {named.path: named.value for named in settings_of(config.model_dump(by_alias=True))}
    assert text_of(written[path]) == text
    form.reset(path)
    assert not form.state(path).is_changed


def test_no_kind_of_value_is_without_an_editor():
    assert EDITORS.keys() == {*get_args(Kind), "path"}


class Inner(Table):
    """A table in a table."""

    depth: int = setting(3, "How deep.", group="Invented", affects="batch", unit="floors", ge=1, le=9)


class Entry(Table):
    """One of several."""

    word: str = setting(..., "Which word.", group="Invented lists", affects="batch", min_length=1)
    weight: float = setting(1.0, "How much it counts.", group="Invented lists", affects="batch", ge=0, le=2)


class MadeUp(Table):
    """Settings of every kind that nobody ever heard of."""

    text: str = setting("", "Any words.", group="Invented", affects="batch")
    number: float | None = setting(None, "Any number.", group="Invented", affects="batch", gt=0)
    count: int = setting(1, "A number of things.", group="Invented", affects="batch", unit="things", ge=1)
    flag: bool = setting(False, "Yes or no.", group="Invented", affects="batch")
    maybe: bool | None = setting(None, "Yes, no, or neither.", group="Invented", affects="batch")
    pick: Literal["a", "b", "c"] = setting("a", "One of three.", group="Invented", affects="batch")
    numbers: Literal[75, 150] = setting(75, "One of two.", group="Invented", affects="batch")
    pair: tuple[int, float, int] = setting((1, 0.5, 2), "Three.", group="Invented", affects="batch", strict=False)
    folder: str | None = setting(None, "A place.", group="Invented", affects="batch", binding=True, path="folder")
    late: int = setting(
        5, "Used with the flag.", group="Invented", affects="batch", used_when=UsedWhen("made_up.flag", (True,))
    )
    inner: Inner = Field(default_factory=Inner)
    entry: list[Entry] = Field(default_factory=list, max_length=3)


class Extended(schema.Config):
    """The schema of a later day."""

    made_up: MadeUp = Field(default_factory=MadeUp)


@pytest.fixture
def later_schema(monkeypatch):
    yield from with_made_up(Extended, monkeypatch)


def test_a_setting_added_to_the_schema_appears_and_works_without_a_change_here(later_schema):
    new = [path for path in paths_of_all() if path[0] == "made_up"]
    assert len(new) == 13
    assert "Invented" in groups()
    for path in new:
        test_every_setting_is_listed_with_its_help_and_takes_another_value(path)
    form = a_form("")
    adders = [entry for entry in listing(form).entries if isinstance(entry, Adder)]
    entry = next(adder.table for adder in adders if adder.table.key == "made_up.entry")
    for number in range(3):
        assert form.add(entry) == number
    assert not form.can_add(entry)
    assert form.state(("made_up", "entry", 2, "word")).problem == "is missing; it must be given"
    assert listing(form, "invented floors").shown == 0
    assert listing(form, "invented deep").shown == 1


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("train.batch_size", "0", "must be a whole number from 1 to 1024, not 0"),
        ("train.batch_size", "1.5", "must be a whole number from 1 to 1024, not 1.5"),
        ("train.batch_size", "many", 'must be a whole number from 1 to 1024, not "many"'),
        ("optimizer.learning_rate", "nan", "must be a number greater than 0 and at most 10, not nan"),
        ("optimizer.type", "adam", 'must be one of .* not "adam" \\(did you mean "adamw"\\?\\)'),
        ("dataset.resolution", "512", "must be a list of 2 whole numbers .* not \\[512\\]"),
        ("dataset.resolution", "500 x 512", "each a multiple of 64, not \\[500, 512\\]"),
        ("dataset.flip_aug", "perhaps", 'must be true/false, not "perhaps"'),
        ("save.output_name", "a b", "must be text: 1 to 64 letters"),
        ("model.base", "a\0b", "contains a NUL character"),
        ("model.vae", "$HOME/x/vae.safetensors", "names an environment variable"),
        ("sample.prompts.0.prompt", "", "is missing; it must be given"),
        ("sample.prompts.0.steps", "0", "must be a whole number from 1 to 1000, not 0"),
    ],
)
def test_what_is_no_value_is_said_in_the_readers_words(key, text, problem):
    with pytest.raises(WrongTextError, match=problem):
        read_text(path_of(key), text, HERE)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.batch_size", " 4 ", 4),
        ("optimizer.learning_rate", "2e-6", 2e-6),
        ("optimizer.learning_rate", "1", 1),
        ("dataset.resolution", "512x768", [512, 768]),
        ("dataset.resolution", "[512, 768]", [512, 768]),
        ("dataset.resolution", "512 \u00d7 768", [512, 768]),
        ("optimizer.betas", "0.9, 0.99", [0.9, 0.99]),
        ("text_encoder.max_token_length", "150", 150),
        ("dataset.flip_aug", "Yes", True),
        ("dataset.caption_separator", " ", " "),
        ("dataset.train_dir", "pictures/frogs", "/somewhere/pictures/frogs"),
        ("model.base", "owner/name", "owner/name"),
        ("train.max_steps", "", None),
    ],
)
def test_what_people_type(key, text, value):
    assert read_text(path_of(key), text, HERE) == value


def test_a_text_that_is_no_value_never_reaches_the_answers_and_is_not_lost():
    draft = Draft(preset="sd15-12gb")
    form = form_of(draft)
    path = ("train", "batch_size")
    assert form.enter(path, "4") == ""
    assert form.enter(path, "4x").startswith("must be a whole number")
    assert draft.get("train.batch_size") == 4
    assert form_of(draft.copy()).state(path).text == "4x"
    assert [place_of(each) for each, _ in form.invalid()] == ["train.batch_size"]
    form.reset(path)
    assert (draft.get("train.batch_size"), form.state(path).text) == (None, "1")


def test_the_presets_own_value_is_no_answer():
    draft = Draft(preset="sd15-12gb")
    form = form_of(draft)
    path = ("train", "max_steps")
    form.enter(path, "800")
    assert form.state(path).is_changed
    form.enter(path, "1600")
    assert draft.get("train.max_steps") is None
    assert not form.state(path).is_changed
    form.enter(("train", "epochs"), "4")
    assert (form.state(path).value, form.state(path).below) == (None, None)
    form.enter(path, "1600")
    assert draft.get("train.max_steps") == 1600  # beside epochs it is one, and the reader says that they conflict


def test_what_has_no_effect_is_left_out_until_it_is_asked_for():
    form = a_form()
    keys = {entry.label for entry in listing(form).entries if isinstance(entry, Line)}
    assert "network.rank" not in keys
    assert listing(form).unused > 20
    reason = form.state(("network", "rank")).unused
    assert reason == 'used only with method.train = "lora" (it is "full")'
    form.enter(("method", "train"), "lora")
    assert "network.rank" in {entry.label for entry in listing(form).entries if isinstance(entry, Line)}
    form.enter(("network", "rank"), "8")
    form.reset(("method", "train"))
    line = next(entry for entry in listing(form, "network.rank").entries if isinstance(entry, Line))
    assert line.state.is_changed  # what was answered stays in sight
    assert "- no effect now: " + reason in explained(line.state)


def test_the_search_looks_at_key_help_and_group():
    form = a_form()

    def found(search):
        return [entry.label for entry in listing(form, search).entries if isinstance(entry, Line)]

    assert found("learning rate") == found("learning_rate")
    assert "optimizer.learning_rate" in found("RATE learning")
    assert found("mirror samples") == ["dataset.flip_aug"]
    assert found("xyzzy") == []
    assert best(listing(form, "batch"), "batch").label == "train.batch_size"
    assert best(listing(form, "xyzzy"), "xyzzy") is None
    assert [entry.text for entry in listing(form, "flip").entries if isinstance(entry, Heading)] == ["Pictures"]


def test_settings_of_presets_alone_come_last():
    assert groups()[-1] == "About"


def test_lists_of_tables_grow_and_shrink():
    draft = Draft(preset="sd15-12gb")
    form = form_of(draft)
    table = next(table for table in all_tables() if table.key == "sample.prompts")
    for number, prompt in enumerate(("a", "b", "c")):
        form.add(table, {"prompt": prompt})
        form.enter(("sample", "prompts", number, "seed"), f"{number}x")
    form.remove(table, 1)
    assert [each["prompt"] for each in draft.get("sample.prompts")] == ["a", "c"]
    assert [(place_of(path), form.state(path).text) for path, _ in form.invalid()] == [
        ("sample.prompts.0.seed", "0x"),
        ("sample.prompts.1.seed", "2x"),
    ]
    form.remove(table, 1)
    form.remove(table, 0)
    assert draft.get("sample.prompts") is None
    assert list(form.invalid()) == []


def test_a_list_of_the_preset_is_copied_before_it_is_changed():
    below = preset_values(Draft()).model_dump(by_alias=True)
    below["sample"]["prompts"] = [{"prompt": "theirs", "seed": 7}]
    tables = {}
    form = Form(tables, {}, below)
    assert form.enter(("sample", "prompts", 0, "seed"), "8") == ""
    assert tables["sample"]["prompts"] == [{"prompt": "theirs", "seed": 8}]
    assert below["sample"]["prompts"][0]["seed"] == 7
    assert form.state(("sample", "prompts", 0, "seed")).is_changed


def test_texts_of_a_draft_from_elsewhere_do_no_harm():
    draft = Draft(
        aside={"typed": {"no.such": "x", "sample.prompts.99.seed": "x", "train.seed": "x", "a.0.b": "x"}}
    )
    assert [place_of(path) for path, _ in form_of(draft).invalid()] == ["train.seed"]
    assert form_of(Draft(aside={"typed": ["no", "table"]})).typed == {}


def test_values_are_shown_with_their_unit():
    fields = all_fields()
    assert shown(1, fields["train.max_steps"]) == "1 step"
    assert shown(2, fields["train.epochs"]) == "2 passes"
    assert shown(1, fields["train.epochs"]) == "1 pass"
    assert shown(True, fields["dataset.flip_aug"]) == "yes"
    assert shown("a\x1b[31m", fields["model.base"]) == "a\\x1b[31m"
    assert text_of(1e-6) == "1e-06"
    assert text_of(10.0) == "10"
    assert Config().train.max_steps is None
