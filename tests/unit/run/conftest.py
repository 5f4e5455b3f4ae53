import json
from pathlib import Path
from typing import Any

import pytest

from trainer_core.run.directory import RunDirectory, create_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_run(tmp_path / "runs", "sls-frog-1", "schema = 1\n")


@pytest.fixture
def read_lines():
    def read(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    return read
