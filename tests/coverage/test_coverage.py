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
SHARED = HERE.parents[2] / "shared"  # not in the repository
NEEDS_SHARED = pytest.mark.skipif(not SHARED.is_dir(), reason="the documents are not here")
FLAG = re.compile(r"(?<![\w-])--[A-Za-z]\w*(?:-\w+)*")


def flags_listed() -> list[str]:
    return (HERE / "seed_flags.txt").read_text(encoding="utf-8").split()


@NEEDS_SHARED
def test_the_list_of_flags_is_that_of_the_documents():
    found = {
        flag for file in (SHARED / "seeds").glob("*.md") for flag in FLAG.findall(file.read_text(encoding="utf-8"))
    }
    assert len(found) > 80
    assert flags_listed() == sorted(found)


def test_every_flag_of_the_documents_has_an_entry():
    assert set(flags_listed()) <= {entry["name"] for entry in ENTRIES}


@NEEDS_SHARED
def test_every_feature_of_the_peer_has_an_entry():
    research = (SHARED / "research" / "peers.md").read_text(encoding="utf-8")
    table = research.partition("## 1.")[2].partition("## 2.")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")
    ]
    offered = {row[0] for row in rows[2:] if not re.match(r"N\b", row[2])}
    assert rows[0][2] == "K"
    assert len(offered) > 40
    assert offered == {row for part in SOURCES["4_features"]["part"] for row in part["rows"]}


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
