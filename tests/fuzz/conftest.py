from pathlib import Path

import pytest

from dbtui.presets.library import shipped_folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Presets of one's own, right and wrong ones, for others to extend; the folders that may be read."""
    own = tmp_path_factory.mktemp("config")
    (own / "presets").mkdir()
    (own / "presets" / "mine.toml").write_text('schema = 1\nextends = "sd15-8gb"\ntrain.max_steps = 7\n')
    (own / "presets" / "broken.toml").write_text("schema = 1\npreset = 3\n[\x1b")
    (own / "presets" / "circle.toml").write_text('schema = 1\nextends = "circle"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBTUI_CONFIG_DIR", str(own))
        yield own, shipped_folder()
