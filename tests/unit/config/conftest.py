from collections.abc import Callable

import pytest

from trainer_core.config.reader import parse_config
from trainer_core.errors import ExitCode, UserError


@pytest.fixture
def problems() -> Callable[..., list[str]]:
    """Return a function that reads a text and returns its problems; it fails if there are none."""

    def read(text: str, **arguments) -> list[str]:
        with pytest.raises(UserError) as caught:
            parse_config(text, "run.toml", **arguments)
        assert caught.value.code is ExitCode.CONFIG
        return caught.value.problems

    return read
