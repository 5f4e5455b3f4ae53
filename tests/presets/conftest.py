import pytest

from tests.presets import first_machine as first


@pytest.fixture(autouse=True)
def own_presets(tmp_path, monkeypatch):
    """Return an empty folder of one's own presets, so that the developer's own play no part."""
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(folder.parent))
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Be a person on the first machine; return the home folder there."""
    first.set_up(tmp_path / first.USER, monkeypatch)
    return tmp_path / first.USER


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return a function that goes to another machine, whose own presets are those given."""

    def go(*presets):
        folder = tmp_path / "other" / "presets"
        folder.mkdir(parents=True)
        for preset in presets:
            (folder / preset.name).write_bytes(preset.read_bytes())
        monkeypatch.setenv("DBTUI_CONFIG_DIR", str(folder.parent))
        (tmp_path / "pictures" / "1_sls frog").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "other")
        return {"model": str(tmp_path / "sd15.safetensors"), "data": str(tmp_path / "pictures")}

    return go
