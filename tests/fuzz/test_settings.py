"""Whatever a preset or a run file holds: a configuration comes of it, or a message, and nothing else happens."""

import tomllib
from contextlib import suppress

import pytest
from hypothesis import given

from dbtui.presets.inspect import inspect
from dbtui.presets.library import PresetFile, find_text
from tests.fuzz.documents import FILES, TEXTS, documents
from tests.fuzz.profile import tried
from tests.fuzz.watched import bounded, check_refusal, check_shown, nothing_outside
from trainer_core.config.reader import check_preset, parse_config, read_config
from trainer_core.config.schema import Config
from trainer_core.config.writer import dump_config
from trainer_core.errors import ExitCode, UserError


def outcome(read) -> Config | None:
    """Return what `read` returns; None if it refuses, with a message that can be shown."""
    try:
        with bounded():
            return read()
    except UserError as error:
        check_refusal(error, ExitCode.CONFIG)
        return None


@pytest.mark.row(37, 38, 39, 40, 41, 42, 43)
@tried(60, 1000)
def test_any_file_as_a_preset(profile, library, tmp_path):
    file = tmp_path / "some.toml"
    read = []

    @profile
    @given(FILES)
    def look(content):
        file.write_bytes(content)
        with nothing_outside(tmp_path, *library):
            found = outcome(lambda: inspect(PresetFile("some", file, "file")))
        if found.config is None:
            check_shown(found.problems)
        else:
            read.append(found.config)
            written = dump_config(found.config, comments=False)
            assert check_preset(written, "again") == found.config
            assert not _bindings(written)

    look()
    assert len(read) > 5, "some of them are right"


@pytest.mark.row(37, 38, 39, 40, 41, 42, 43)
@tried(60, 1000)
def test_any_file_as_a_run_file(profile, library, tmp_path):
    file = tmp_path / "run.toml"
    read = []

    @profile
    @given(FILES)
    def look(content):
        file.write_bytes(content)
        with nothing_outside(tmp_path, *library, may_look=True):
            found = outcome(lambda: read_config(file, find_preset=find_text))
        if found is not None:
            read.append(found)
            assert parse_config(dump_config(found), "again", folder=tmp_path) == found

    look()
    assert len(read) > 5, "some of them are right"


@pytest.mark.row(39, 40)
@tried(40, 500)
def test_anything_behind_set(profile, library, tmp_path):
    file = tmp_path / "run.toml"

    @profile
    @given(documents().map(lambda content: content.decode(errors="replace")), TEXTS)
    def look(text, more):
        file.write_text("schema = 1\n")
        asked = [line.replace(" = ", "=", 1) for line in text.splitlines()[:5]] + [more, f"train.seed={more}"]
        outcome(lambda: read_config(file, find_preset=find_text, overrides=asked))

    look()


@pytest.mark.row(42)
@tried(40, 500)
def test_any_name_of_a_preset(profile, library):
    @profile
    @given(TEXTS)
    def look(name):
        with nothing_outside(*library), suppress(UserError):
            assert tomllib.loads(find_text(name))["schema"] == 1

    look()


def _bindings(text: str) -> list[str]:
    from trainer_core.config.layer import settings_of

    tables = tomllib.loads(text)
    del tables["schema"]
    return [named.field.key for named in settings_of(tables) if named.field.binding]
