"""What is written reads back as the same configuration, whatever it holds."""

import tomllib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fuzz.profile import examples
from trainer_core.config.fields import FieldInfo, TableInfo, ValueInfo, all_fields, root
from trainer_core.config.merge import alternatives, failing_condition
from trainer_core.config.problems import Problems
from trainer_core.config.reader import parse_config
from trainer_core.config.rules import report_broken_rules
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def values(value: ValueInfo) -> st.SearchStrategy[Any]:
    if value.kind == "choice":
        return st.sampled_from(value.choices)
    if value.kind == "true/false":
        return st.booleans()
    if value.kind == "list":
        return st.tuples(*(values(item) for item in value.items))
    if value.kind == "whole number":
        step = int(value.multiple_of or 1)
        return st.integers(int(value.ge) // step, int(value.le) // step).map(lambda number: number * step)
    if value.kind == "number":
        low, high = value.ge if value.gt is None else value.gt, value.le or value.lt
        open_ends = {"exclude_min": value.gt is not None, "exclude_max": value.lt is not None}
        return st.floats(low, high, allow_infinity=False, **open_ends)
    if value.pattern:
        texts = st.from_regex(value.pattern, fullmatch=True)
        return texts.filter(lambda text: value.max_length is None or len(text) <= value.max_length)
    return TEXT.map(lambda text: text[: value.max_length])


def settings_of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    if field.path:
        return TEXT.map(lambda text: "/" + text.replace("/", "").replace(".", "").replace("$", ""))
    return values(field.value)


def tables(table: TableInfo) -> st.SearchStrategy[dict[str, Any]]:
    required = {field.name: settings_of_field(field) for field in table.fields if field.required}
    optional = {field.name: settings_of_field(field) for field in table.fields if not field.required}
    for below in table.tables:
        inner = tables(below)
        optional[below.name] = st.lists(inner, max_size=2) if below.is_list else inner
    return st.fixed_dictionaries(required, optional=optional)


def obey_rules(tables: dict[str, Any]) -> None:
    """Take out what the reader's rules would refuse."""
    dataset, train, save = (tables.get(name, {}) for name in ("dataset", "train", "save"))
    if {"random_crop", "color_aug", "brightness_aug", "rotate_aug"} & dataset.keys():
        dataset["cache_latents"] = "off"
    if dataset.get("bucket", {}).get("enable"):
        for holder, name in (
            (dataset, "resolution"),
            (dataset["bucket"], "min_reso"),
            (dataset["bucket"], "max_reso"),
        ):
            holder.pop(name, None)
        if dataset["bucket"].get("shapes") == "novelai" and not dataset["bucket"].get("no_upscale"):
            dataset["resolution"] = (512, 768)
            dataset["bucket"].pop("step", None)
    optimizer = tables.get("optimizer", {})
    if {"memory", "scheduler", "ema", "network"} & tables.keys():
        optimizer.pop("type", None)
    if optimizer.get("type") == "adamw_schedulefree":
        optimizer.pop("betas", None)
    if optimizer.get("type") == "prodigy":
        tables.get("text_encoder", {}).pop("learning_rate", None)
    tables.get("loss", {}).pop("max_timestep", None)
    dataset.pop("combine_prompt", None)
    dataset.pop("captions_for", None)
    dataset.pop("caption_separator", None)
    if not dataset.get("shuffle_caption"):
        for name in ("keep_tokens", "keep_tokens_separator"):
            dataset.pop(name, None)
    if tables.get("method", {}).get("captions", "dreambooth") != "dreambooth":
        for concept in tables.get("concept", ()):
            concept.pop("instance_prompt", None)
    if "epochs" in train:
        train.pop("max_steps", None)
    if not save.keys() & {"every_n_steps", "every_n_epochs"}:
        save.pop("keep_last", None)
        tables.get("sample", {}).pop("after_save", None)
    if save.keys() & {"unet_precision", "text_encoder_precision", "vae_precision"}:
        save.pop("precision", None)
    log = tables.get("log", {})
    if not (log.get("tensorboard") or log.get("wandb")):
        log.pop("dir", None)
        log.pop("prefix", None)
    tables.get("model", {}).pop("revision", None)
    if tables.get("method", {}).get("train") == "lora":
        save.pop("format", None)
    if dataset.get("cache_text"):
        dataset.pop("cache_text")
    if tables.get("text_encoder", {}).get("no_token_padding"):
        tables["text_encoder"].pop("max_token_length", None)
    for prompt in tables.get("sample", {}).get("prompts", ()):
        if prompt.get("guidance_scale") == 1:
            prompt.pop("negative_prompt", None)
    if tables.get("prior", {}).get("guidance_scale") == 1:
        tables["prior"].pop("guidance_scale")
    for first, second in alternatives():
        table, _, name = first.rpartition(".")
        if name in tables.get(table, {}):
            tables[table].pop(second.rpartition(".")[2], None)
    for field in all_fields().values():
        if failing_condition(field, tables):
            for holder in holders_of(field, tables):
                holder.pop(field.name, None)


def holders_of(field: FieldInfo, tables: dict[str, Any]) -> list[dict[str, Any]]:
    """Every table that can hold the setting: one, or those of a list."""
    holders = [tables]
    for part in field.key.split(".")[:-1]:
        below = [holder[part] for holder in holders if part in holder]
        holders = [table for inner in below for table in (inner if isinstance(inner, list) else [inner])]
    return holders


@given(tables(root()), st.booleans())
@examples(150)
def test_a_round_trip_changes_nothing(tables, comments):
    obey_rules(tables)
    config = Config.model_validate({"schema": 1, **tables})
    broken = Problems()
    report_broken_rules(config, "these", broken)
    assume(not broken)  # what no rule of those above names, such as two numbers that do not go together
    assert parse_config(dump_config(config, comments=comments), "run.toml") == config


def test_what_is_unset_or_unused_is_left_out():
    text = dump_config(Config(), comments=False)
    written = tomllib.loads(text)
    assert "warmup_steps" not in written["scheduler"]
    assert "max_steps" not in written["train"]
    assert "concept" not in written
    assert written["optimizer"]["learning_rate"] == 1e-6
    assert "#" not in text


def test_the_order_is_that_of_the_schema_and_comments_give_help_and_unit():
    text = dump_config(Config())
    headers = [line for line in text.splitlines() if line.startswith("[")]
    assert headers[0] == "[method]"
    assert headers[-1] == "[hub]"
    assert "workers = 4  # Threads that read and decode pictures." in text
    assert "gradient_accumulation = 1  # Forward passes that make one optimizer step." in text
    assert max(len(line) for line in text.splitlines()) < 80


def test_invisible_characters_are_written_as_escapes():
    config = parse_config('schema = 1\n[preset]\ntitle = "a\\u202eb\\u200b\\U000e0001\\u001b"\n', "x")
    text = dump_config(config)
    assert text.isascii()
    assert parse_config(text, "x") == config


def test_the_class_is_written_by_its_name_in_the_file():
    text = dump_config(Config.model_validate({"concept": [{"class": "frog"}, {"class": "dog"}]}))
    assert [concept["class"] for concept in tomllib.loads(text)["concept"]] == ["frog", "dog"]


def test_a_name_of_python_is_no_name_of_the_file():
    with pytest.raises(UserError, match=r"concept\.class_ .* is not a setting \(did you mean class\?\)"):
        parse_config('schema = 1\n[[concept]]\nclass_ = "frog"\n', "x")
