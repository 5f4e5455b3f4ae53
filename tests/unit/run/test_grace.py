from pathlib import Path

import pytest

from trainer_core.run.grace import Grace, likely_grace, too_short

KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@pytest.mark.parametrize(
    ("environment", "files", "seconds", "whose"),
    [
        ({}, {}, 90, "systemd"),
        ({}, {".dockerenv": ""}, 10, "docker"),
        ({}, {"run/.containerenv": ""}, 10, "podman"),
        ({"SLURM_JOB_ID": "1"}, {".dockerenv": ""}, 30, "Slurm"),
        (KUBERNETES, {".dockerenv": ""}, 30, "Kubernetes"),
        (KUBERNETES, {"sys/class/dmi/id/product_name": "Google Compute Engine\n"}, 15, "GKE"),
        ({}, {"sys/class/dmi/id/product_name": "Google Compute Engine\n"}, 30, "Google Cloud"),
        ({}, {"sys/class/dmi/id/product_name": "ThinkPad\n"}, 90, "systemd"),
    ],
)
def test_the_grace_of_what_it_runs_under(tmp_path: Path, environment, files, seconds: float, whose: str):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    grace = likely_grace(environment, tmp_path)
    assert grace.seconds == seconds
    assert whose in grace.whose


def test_a_save_that_takes_longer_is_told_with_what_protects():
    grace = Grace(10, "`docker stop`")
    assert too_short(grace, 10, 15) == ""
    told = too_short(grace, 41.2, 15)
    assert "took 41 s" in told
    assert "`docker stop` usually waits 10 s" in told
    assert "save.state_every_minutes writes, every 15 minutes" in told
    assert "set save.state_every_minutes" in too_short(grace, 41.2, 0)
