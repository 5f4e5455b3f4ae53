"""The tables know every setting that the sources of the other trainers declare (peer_keys.toml)."""

import tomllib
from pathlib import Path

import pytest

from dbtui.presets.importing.peers.datasets import DATASETS
from dbtui.presets.importing.peers.extension import EXTENSION
from dbtui.presets.importing.peers.fine_tune import FINE_TUNE
from dbtui.presets.importing.peers.known import FILES, PEERS
from dbtui.presets.importing.peers.kohya_ss import FINE, FULL, LORA
from dbtui.presets.importing.peers.onetrainer import ONETRAINER
from dbtui.presets.importing.peers.sd_scripts import TRAIN_DB, TRAIN_NETWORK
from dbtui.presets.importing.rules import Entries, To
from tests.presets.importing_tools import imported_of, said
from trainer_core.config.fields import all_fields

KEYS = tomllib.loads((Path(__file__).parent / "peer_keys.toml").read_text(encoding="utf-8"))


_REFUSED = "sdxl sdxl_checkbox flux1_checkbox sd3_checkbox LoRA_type training_method model_type peft_type"
REFUSED = frozenset(_REFUSED.split())
"""What decides which kind of model is trained: any value that is not known there is refused."""


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


@pytest.mark.parametrize(
    ("kind", "peer"), [("kohya_ss_lora", LORA), ("kohya_ss_dreambooth", FULL), ("kohya_ss_finetune", FINE)]
)
def test_every_setting_of_the_pages_is_known(kind, peer):
    assert declared(kind) - known(peer) == {"additional_parameters"}  # a command line of its own, read as one


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


@pytest.mark.parametrize("value", ["1", "0.5", "some text", True, None])
@pytest.mark.parametrize(
    "kind", ["kohya_ss_lora", "kohya_ss_dreambooth", "kohya_ss_finetune", "onetrainer", "extension"]
)
def test_a_file_with_every_setting_is_told_whole(kind, value):
    names = declared(kind) - REFUSED
    found, _ = imported_of(nested(names, value))
    assert not found.unknown
    assert names - said(found) <= {"concepts", "samples", "concepts_list", "additional_parameters"}


@pytest.mark.parametrize("kind", ["train_db", "train_network", "fine_tune"])
def test_a_command_with_every_option_is_told_whole(kind):
    options = " ".join(f"--{name}=1" for name in sorted(declared(kind)))
    found, _ = imported_of(f"accelerate launch {kind}.py {options}")
    assert not found.unknown
    assert {f"--{name}" for name in declared(kind)} <= said(found)


def nested(names, value):
    """Return settings with one value each, those with a dot in their name in a table."""
    read = {}
    for name in sorted(names):
        table, _, inner = name.partition(".")
        if inner:
            read.setdefault(table, {})[inner] = value
        else:
            read[name] = value
    return read


@pytest.mark.parametrize("peer", [*PEERS, *FILES], ids=lambda peer: peer.name)
def test_the_tables_of_lists_name_settings_that_exist(peer):
    for rule in peer.options.values():
        for name, inner in rule.rules.items() if isinstance(rule, Entries) else ():
            keys = {inner.key} if isinstance(inner, To) else set(getattr(inner, "settings", ()))
            assert keys <= set(all_fields()), name
