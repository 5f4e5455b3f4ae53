"""Finding presets: shipped ones, one's own, and what is left out."""

import pytest

from dbtui.presets.inspect import inspect
from dbtui.presets.library import find, find_text, open_preset, shipped, yours
from trainer_core.errors import ExitCode, UserError

MINE = 'schema = 1\nextends = "sd15-12gb"\n[train]\nmax_steps = 10\n'


def test_ones_own_are_found_and_may_extend_shipped_ones(own_presets):
    (own_presets / "mine.toml").write_text(MINE)
    assert find("mine").origin == "yours"
    config = inspect(find("mine")).config
    assert (config.train.max_steps, config.memory.mixed_precision, config.preset.title) == (10, "bf16", "")


def test_smaller_cards_come_first():
    names = [preset.name for preset in shipped()]
    assert names.index("sd15-8gb") < names.index("sd15-12gb")


def test_a_shipped_name_always_means_the_shipped_preset(own_presets):
    (own_presets / "sd15-12gb.toml").write_text(MINE)
    used, remarks = yours()
    assert used == []
    assert "dbtui ships a preset of that name" in remarks[0]
    assert find("sd15-12gb").origin == "shipped"


@pytest.mark.row(42)
def test_links_out_of_the_folder_and_odd_names_are_left_out(own_presets, tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text(MINE)
    (own_presets / "out.toml").symlink_to(outside)
    (own_presets / "in.toml").write_text(MINE)
    (own_presets / "in-link.toml").symlink_to(own_presets / "in.toml")
    (own_presets / "a b.toml").write_text(MINE)
    (own_presets / ".toml").write_text(MINE)
    used, remarks = yours()
    assert [preset.name for preset in used] == ["in", "in-link"]
    assert "link out of the folder" in "".join(remarks)
    with pytest.raises(UserError, match=r'"out" is not a preset'):
        find_text("out")


@pytest.mark.row(42)
@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "", ".", "..", "a/b", "x" * 300, "\x1b[31m", "a\0b"]
)
def test_no_name_leads_anywhere_else(name, tmp_path):
    (tmp_path / "config" / "outside.toml").write_text(MINE)
    assert find(name) is None
    with pytest.raises(UserError) as caught:
        find_text(name)
    assert caught.value.code is ExitCode.CONFIG
    assert "\x1b" not in str(caught.value)


def test_the_nearest_name_is_suggested():
    with pytest.raises(UserError, match=r"did you mean sd15-8gb\?"):
        open_preset("sd15_8gb")


def test_a_name_that_differs_from_the_files_is_told(own_presets):
    (own_presets / "mine.toml").write_text('schema = 1\n[preset]\nname = "other"\n')
    (problem,) = inspect(find("mine")).problems
    assert 'preset.name is "other"' in problem


@pytest.mark.row(42)
def test_a_preset_that_binds_a_machine_is_told(own_presets):
    (own_presets / "mine.toml").write_text('schema = 1\n[model]\nbase = "owner/name"\n')
    (problem,) = inspect(find("mine")).problems
    assert "model.base belongs to one machine" in problem


def test_measurements_are_shown(own_presets):
    measured = '[[preset.measured]]\ngpu = "A\\u001b"\npeak_vram_gb = 10.1\nit_per_s = 1.9\nversion = "1"\n'
    (own_presets / "mine.toml").write_text(f"schema = 1\n{measured}")
    assert inspect(find("mine")).measured == "10.1 GB, 1.9 it/s on A\\x1b"
