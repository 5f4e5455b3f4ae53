"""The tables know every setting that the sources of the other trainers declare (peer_keys.toml)."""

import json
import tomllib
from pathlib import Path

import pytest

from dbtui.presets.importing.peers.datasets import DATASETS
from dbtui.presets.importing.peers.extension import EXTENSION
from dbtui.presets.importing.peers.fine_tune import FINE_TUNE
from dbtui.presets.importing.peers.known import FILES, PEERS
from dbtui.presets.importing.peers.kohya_ss import FINE, FULL, LORA, LORA_ONLY
from dbtui.presets.importing.peers.onetrainer import ONETRAINER
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.rules import Entries, To
from trainer_core.config.fields import all_fields

KEYS = tomllib.loads((Path(__file__).parent / "peer_keys.toml").read_text(encoding="utf-8"))
FILE = Path(__file__).parent / "settings_files"


def declared(kind):
    return set(KEYS[kind]["keys"].split())


def known(peer):
    return {*peer.options, *peer.aliases}


@pytest.mark.parametrize(
    ("kind", "peer"),
    [
        ("train_db", TRAIN_DB),
        ("train_network", TRAIN_NETWORK),
        ("fine_tune", FINE_TUNE),
        ("onetrainer", ONETRAINER),
        ("onetrainer_old", ONETRAINER),
        ("extension", EXTENSION),
    ],
)
def test_every_setting_of_the_peer_is_known(kind, peer):
    assert declared(kind) - known(peer) == set()


def test_every_setting_of_the_pages_is_known_on_each():
    pages = declared("kohya_ss") - {"additional_parameters"}  # a command line of its own, read as one
    of_fine = pages - known(FULL) - set(LORA_ONLY.split())
    assert of_fine <= known(FINE)
    assert pages - known(LORA) <= of_fine
    assert pages - known(FINE) - set(LORA_ONLY.split()) <= {
        "train_data_dir",
        "reg_data_dir",
        "prior_loss_weight",
    } | {name for name in pages if name in known(FULL)}


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("dataset", DATASETS.options["subsets"]),
        ("subset", DATASETS.options["subsets"]),
        ("onetrainer_concept", ONETRAINER.options["concepts"]),
        ("onetrainer_sample", ONETRAINER.options["samples"]),
        ("extension_concept", EXTENSION.options["concepts_list"]),
    ],
)
def test_every_field_of_a_list_is_known(kind, entries):
    assert declared(kind) - set(entries.rules) == set()


@pytest.mark.parametrize(
    ("name", "kind", "tables"),
    [
        ("onetrainer_lora", "onetrainer", ("unet", "text_encoder", "vae", "optimizer")),
        ("db_config", "extension", ()),
    ],
)
def test_the_files_of_these_tests_are_whole(name, kind, tables):
    """Every setting that the newest version writes stands in them; older names are in the lists too."""
    read = json.loads((FILE / f"{name}.json").read_text(encoding="utf-8"))
    names = {key for key in read if key not in tables}
    names |= {f"{table}.{key}" for table in tables for key in read[table] if key != "__version"}
    assert names <= declared(kind)
    assert len(names) > 0.7 * len(declared(kind))


@pytest.mark.parametrize("peer", [*PEERS, *FILES], ids=lambda peer: peer.name)
def test_the_tables_of_lists_name_settings_that_exist(peer):
    for rule in peer.options.values():
        for name, inner in rule.rules.items() if isinstance(rule, Entries) else ():
            keys = {inner.key} if isinstance(inner, To) else set(getattr(inner, "settings", ()))
            assert keys <= set(all_fields()), name
