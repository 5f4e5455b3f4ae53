"""The real trainer, nobody watching: it uploads, writes its page, runs the hooks, and tells nobody a secret."""

import json
import os
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from trainer_core.run.directory import RunDirectory
from trainer_core.run.events import EventReader

SECRETS = {
    "HF_TOKEN": "hf_" + "Q" * 34,
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "MY_PASSWORD": "correct horse battery staple",
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory, upload_hub):
    """A run of three steps with everything at its end, and every place a command could be smuggled into filled."""
    from dbtui.demo.world.write import write_frogs
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    root = tmp_path_factory.mktemp("ended")
    far, home = root / "far", root / "home"
    for folder in (far, home):
        folder.mkdir()
    write_frogs(root / "train" / "1_sls frog", 2, subject=True)
    save_model(build_tiny(), root / "tiny", format="safetensors", precision=None, metadata={})
    smuggled = f'[on_finish]\ncommand = ["touch", "{root}/canary"]\n'
    metadata = {"on_finish": smuggled, "dbtui.on_finish": smuggled, "format": "pt"}
    save_file(load_file(root / "tiny.safetensors"), root / "tiny.safetensors", metadata=metadata)
    for folder in (root, root / "train", root / "train" / "1_sls frog"):
        (folder / "config.toml").write_text(smuggled)
    (root / "run.toml").write_text(
        """
schema = 1
model.base = "tiny.safetensors"
dataset = { train_dir = "train", resolution = [64, 64] }
optimizer = { type = "adamw", learning_rate = 1e-4 }
train = { max_steps = 3, cpu_threads = 1, workers = 1 }
save = { output_name = "frog" }
hub = { push = true, repo_id = "owner/frog" }
sample = { before_training = true, prompts = [{ prompt = "sls frog", steps = 2 }] }
"""
    )
    copy, sums = (
        f'env; cp "$DBTUI_OUTPUTS" {shlex.quote(str(far))}',
        f"env >&2; cd {shlex.quote(str(far))}; sha256sum *",
    )
    (home / "config.toml").write_text(
        f"[upload]\ncommand = {json.dumps(['sh', '-c', copy])}\nverify = {json.dumps(['sh', '-c', sums])}\n"
        f'[on_finish]\ncommand = ["sh", "-c", "env; test -s $DBTUI_REPORT && echo finished > {home}/said; exit 7"]'
        "\n"
        f'[after_upload]\ncommand = ["sh", "-c", "echo machine-off >> {home}/said"]\n'
    )
    environment = {
        **os.environ,
        **SECRETS,
        "DBTUI_CONFIG_DIR": str(home),
        "HF_ENDPOINT": upload_hub["url"],
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-m", "trainer_core", str(root / "run.toml"), "--name", "frog"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, cwd=root, check=False
    )
    return SimpleNamespace(root=root, far=far, home=home, done=done, run=RunDirectory(root / "runs" / "frog"))


def test_everything_that_follows_follows_and_the_exit_code_stays(ended):
    assert ended.done.returncode == 0, ended.done.stderr
    assert (ended.far / "frog.safetensors").read_bytes() == (ended.run.output / "frog.safetensors").read_bytes()
    assert (ended.home / "said").read_text().split() == ["finished", "machine-off"]
    events = EventReader(ended.run.events).poll()
    uploads = [(event["by"], event["verified"]) for event in events if event["kind"] == "uploaded"]
    assert uploads == [("hub", True), ("command", True)]
    warnings = [event["text"] for event in events if event["kind"] == "warning"]
    assert "on_finish.command failed: sh ended with exit code 7" in warnings


def test_the_page_is_there_with_its_pictures(ended):
    page = ended.run.report.read_text(encoding="utf-8")
    assert "✓ done" in page
    assert page.count("<img ") == 2 + 2 + 2  # before and after, twice over time, the dataset
    assert str(ended.root) not in page


def test_nothing_but_the_own_configuration_ran_a_command(ended):
    assert not (ended.root / "canary").exists()


@pytest.mark.row(53)
def test_no_secret_is_anywhere(ended):
    said = ended.done.stdout + ended.done.stderr
    assert "sh: MY_PASSWORD=[hidden]" in said  # the commands did tell them
    written = [path for path in ended.root.rglob("*") if path.is_file() and ended.home not in path.parents]
    assert len(written) > 10
    for value in SECRETS.values():
        assert value not in said
        for path in written:
            assert value.encode() not in path.read_bytes(), path
