"""How often hypothesis tries: the same few examples in every run, and thousands in `make test-slow`."""

import pytest
from hypothesis import HealthCheck, Phase, settings


def examples(count: int) -> settings:
    """The same examples each time, with no file of earlier ones and no clock."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def tried(short: int, long: int) -> pytest.MarkDecorator:
    """Parametrize a test by `profile`: `short` examples, and `long` where slow tests are run."""
    return pytest.mark.parametrize(
        "profile",
        [
            pytest.param(examples(short), id="short"),
            pytest.param(examples(long), id="long", marks=pytest.mark.slow),
        ],
    )
