"""Nothing of the documents that dbtui began with is left out; what is named here exists."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from dbtui.cli.app import app
from trainer_core.config.fields import all_fields

HERE = Path(__file__).parent
SOURCES = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(HERE.glob("*.toml"))}
ENTRIES = [entry for source in SOURCES.values() for part in source["part"] for entry in part["entries"]]
SEEDS = HERE.parents[2] / "shared" / "seeds"  # not in the repository
FLAG = re.compile(r"(?<![\w-])--[A-Za-z]\w*(?:-\w+)*")


def flags_listed() -> list[str]:
    return (HERE / "seed_flags.txt").read_text(encoding="utf-8").split()


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the documents are not here")
def test_the_list_of_flags_is_that_of_the_documents():
    found = {flag for file in SEEDS.glob("*.md") for flag in FLAG.findall(file.read_text(encoding="utf-8"))}
    assert len(found) > 80
    assert flags_listed() == sorted(found)


def test_every_flag_of_the_documents_has_an_entry():
    assert set(flags_listed()) <= {entry["name"] for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_an_entry_has_an_answer_that_is_true(entry):
    assert entry.keys() <= {"name", "setting", "command", "reason", "note"}
    assert entry.keys() & {"setting", "command", "reason"}
    assert set(entry.get("setting", ())) <= all_fields().keys()
    for command in entry.get("command", ()):
        assert_exists(command)
    for text in (entry.get("reason", ""), entry.get("note", "")):
        assert not re.search(r"\b(later|yet|todo|planned|soon)\b", text, re.IGNORECASE)


def assert_exists(command: str) -> None:
    """Assert that "dbtui scan --buckets" is a command of the application with that option."""
    program, *words = command.split()
    assert program == "dbtui"
    found = typer.main.get_command(app)
    for word in (word for word in words if not word.startswith("-")):
        found = found.commands[word]
    options = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options
