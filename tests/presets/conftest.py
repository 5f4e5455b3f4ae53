import pytest


@pytest.fixture(autouse=True)
def own_presets(tmp_path, monkeypatch):
    """Return an empty folder of one's own presets, so that the developer's own play no part."""
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(folder.parent))
    return folder
