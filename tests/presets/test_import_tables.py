"""The tables of other trainers' options name what exists, and agree with the page of coverage."""

import tomllib
from pathlib import Path

import pytest

from dbtui.presets.importing.peers.known import PEERS
from dbtui.presets.importing.rules import Left, Parts, To
from trainer_core.config.fields import all_fields

COVERAGE = Path(__file__).parents[1] / "coverage"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_tables_name_settings_that_exist(peer):
    settings = set(all_fields())
    for name, rule in peer.options.items():
        if isinstance(rule, To):
            assert rule.key in settings, name
        elif isinstance(rule, Parts):
            assert {inner.key for inner in rule.rules.values() if isinstance(inner, To)} <= settings
        elif not isinstance(rule, Left):
            assert set(rule.settings) <= settings, name
    assert set(peer.defaults) <= settings
    assert set(peer.aliases.values()) <= set(peer.options)
    assert not set(peer.aliases) & set(peer.options)
    assert set(peer.needs) | set(peer.needs.values()) <= set(peer.options)


@pytest.mark.parametrize(("page", "peer"), [("2_kohya", PEERS[0]), ("1_tutorial", PEERS[2])])
def test_the_tables_agree_with_the_page_of_coverage(page, peer):
    parts = tomllib.loads((COVERAGE / f"{page}.toml").read_text(encoding="utf-8"))["part"]
    entries = {entry["name"].removeprefix("--"): entry for part in parts for entry in part["entries"]}
    both = {name: peer.options[name] for name in entries.keys() & peer.options.keys()}
    for name, rule in both.items():
        assert _keys(rule) <= set(entries[name].get("setting", ())), name
    assert len(both) > 25


def _keys(rule):
    return {rule.key} if isinstance(rule, To) else set(getattr(rule, "settings", ()))
