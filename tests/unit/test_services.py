"""What logs and the upload need is asked for before anything starts."""

import pytest

from trainer_core import services
from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode

PUSH = {"hub": {"push": True, "repo_id": "owner/frog"}}
NAMES = ("HF_TOKEN", "HF_HUB_OFFLINE", "WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC")


@pytest.fixture
def told(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def problems(tables, code, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        errors = services.service_problems(Config.model_validate(tables))
        assert all(error.code is code for error in errors)
        return "\n".join(str(error) for error in errors)

    return problems


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_told_with_the_command(told, monkeypatch, name):
    monkeypatch.setattr(services, "find_spec", lambda found: None)
    text = told({"log": {name: True}}, ExitCode.CONFIG)
    assert f"log.{name} needs the package {name}: run `pip install {name}`" in text


def test_packages_that_are_there_and_nothing_asked_for_are_no_problem(told):
    assert told({"log": {"tensorboard": True}}, ExitCode.CONFIG) == ""
    assert told({}, ExitCode.CONFIG) == ""


def test_wandb_needs_a_key_or_offline_mode(told, tmp_path):
    log = {"log": {"wandb": True}}
    assert "set WANDB_API_KEY in the environment" in told(log, ExitCode.CONFIG)
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password 0123456789\n")
    assert told(log, ExitCode.CONFIG) == ""
    assert "WANDB_API_KEY" in told(log, ExitCode.CONFIG, WANDB_BASE_URL="https://wandb.example")
    assert told(log, ExitCode.CONFIG, WANDB_MODE="offline") == ""
    assert told(log, ExitCode.CONFIG, WANDB_MODE="online", WANDB_API_KEY="0123456789") == ""


def test_the_upload_needs_a_token_and_the_network(told):
    assert "set HF_TOKEN in the environment" in told(PUSH, ExitCode.MODEL)
    assert told(PUSH, ExitCode.MODEL, HF_TOKEN="hf_x") == ""
    assert "HF_HUB_OFFLINE is set" in told(PUSH, ExitCode.MODEL, HF_HUB_OFFLINE="1")
