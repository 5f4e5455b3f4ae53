"""Every shipped preset reads, can be shared, and has what its name says."""

import re

import pytest

from dbtui.presets.inspect import inspect
from dbtui.presets.library import find, shipped
from trainer_core.config.fields import all_fields
from trainer_core.config.merge import value_of
from trainer_core.config.reader import parse_config
from trainer_core.config.writer import dump_config

SHIPPED = {preset.name: preset for preset in shipped()}


def config_of(name):
    inspected = inspect(SHIPPED[name])
    assert inspected.problems == ()
    return inspected.config


def test_both_families_at_every_size():
    whole = {f"{family}-{size}gb" for family in ("sd15", "sd21") for size in (8, 12, 16, 24)}
    loras = {f"{family}-lora-{size}gb" for family in ("sd15", "sd21") for size in (8, 12)}
    assert set(SHIPPED) == whole | loras | {"sd15-6gb"}


@pytest.mark.parametrize("name", SHIPPED)
class TestEach:
    def test_it_is_what_its_name_says(self, name):
        config = config_of(name)
        family, kind, size = re.fullmatch(r"(sd\d+)-(lora-)?(\d+)gb", name).groups()
        assert config.method.train == ("lora" if kind else "full")
        assert config.preset.name == name
        assert config.model.family == {"sd15": "sd1", "sd21": "sd2"}[family]
        assert config.preset.min_vram_gb == float(size)

    def test_it_says_what_it_is(self, name):
        preset = config_of(name).preset
        assert 0 < len(preset.title) <= 40  # fits the list on a terminal of 80 columns
        assert preset.description
        assert preset.license == "CC0-1.0"
        assert SHIPPED[name].text().startswith("# ")

    def test_it_is_unverified_until_it_is_measured(self, name):
        assert inspect(SHIPPED[name]).measured == "unverified"

    def test_it_has_the_guides_values(self, name):
        config = config_of(name)
        assert config.optimizer.learning_rate == (1e-4 if config.method.train == "lora" else 1e-6)
        assert config.optimizer.type == "adamw8bit"
        assert config.dataset.cache_latents != "off"
        assert (config.train.max_steps, config.train.batch_size) in {(1600, 1), (400, 4)}
        assert config.memory.mixed_precision != "no"

    def test_it_binds_no_machine(self, name):
        tables = config_of(name).model_dump(by_alias=True)
        bindings = [field for field in all_fields().values() if field.binding and field.table != "concept"]
        assert len(bindings) > 3
        assert all(value_of(tables, field) is None for field in bindings)
        assert tables["concept"] == []

    def test_resolved_it_extends_nothing_and_means_the_same(self, name):
        assert parse_config(dump_config(config_of(name)), name) == config_of(name)


def test_full_fp16_where_the_guide_needs_it():
    full = {name for name in SHIPPED if config_of(name).memory.full_fp16}
    assert full == {"sd15-8gb", "sd21-8gb", "sd21-12gb"}


def test_activations_are_kept_only_where_memory_allows():
    kept = {name for name in SHIPPED if not config_of(name).memory.gradient_checkpointing}
    assert kept == {"sd15-24gb", "sd21-24gb"}


def test_they_are_found_by_name():
    assert all(find(name) == preset for name, preset in SHIPPED.items())
