"""Uploads, spoken by huggingface_hub itself to a server on this machine that plays the Hub's upload protocol."""

from types import SimpleNamespace

import pytest
import yaml

from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.hooks.witness import UPLOAD_FAILED
from trainer_core.models.hub_upload import UploadError, refuse_bad_token, upload_model
from trainer_core.train.publish import Trained, model_card, publish

TOKEN = "hf_" + "t" * 30


@pytest.fixture
def hub(upload_hub, monkeypatch):
    from huggingface_hub import constants

    url = upload_hub["url"]
    upload_hub |= {"asked": [], "status": {}, "repository": {}, "stored": {}}
    upload_hub["spoil"] = lambda name, content: content
    monkeypatch.setattr(constants, "ENDPOINT", url)  # as HF_ENDPOINT does
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return upload_hub


@pytest.fixture
def model(tmp_path):
    """A model in one file with its yaml, and as a folder."""
    file, yaml_file, folder = tmp_path / "frog.safetensors", tmp_path / "frog.yaml", tmp_path / "frog"
    file.write_bytes(b"weights" * 5000)
    yaml_file.write_text("model: v\n")
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "w.safetensors").write_bytes(b"folder weights" * 100)
    return SimpleNamespace(files=[file, yaml_file], folder=[folder])


def upload(paths, **options):
    told = []
    options = {"private": True, "card": "# frog\n", "progress": told.append, **options}
    return upload_model(paths, "owner/frog", **options)


def test_a_file_and_what_lies_beside_it_arrive(hub, model):
    done = upload(model.files)
    contents = {name: content for name, (content, _) in hub["repository"].items()}
    assert contents == {
        "frog.safetensors": model.files[0].read_bytes(),
        "frog.yaml": b"model: v\n",
        "README.md": b"# frog\n",
    }
    wanted = {"name": "frog", "organization": "owner", "visibility": "private"}
    assert wanted.items() <= hub["created"].items()
    assert (done.files, done.bytes, done.url) == (2, 35009, f"{hub['url']}/owner/frog")
    assert hub["message"] == "Upload frog.safetensors with dbtui"
    not_ours = ("/upload/", "/api/agent-harnesses")  # the second is the library's own, once a day
    sent = {authorization for command, path, authorization in hub["asked"] if not path.startswith(not_ours)}
    assert sent == {f"Bearer {TOKEN}"}
    assert all(authorization is None for _, path, authorization in hub["asked"] if path.startswith("/upload/"))


def test_a_folders_content_goes_to_the_root_and_a_readme_stays(hub, model):
    hub["repository"]["README.md"] = (b"mine", False)
    upload(model.folder, private=False)
    assert set(hub["repository"]) == {"README.md", "model_index.json", "unet/w.safetensors"}
    assert hub["repository"]["README.md"] == (b"mine", False)
    assert hub["created"]["visibility"] == "public"


@pytest.mark.parametrize("name", ["frog.safetensors", "frog.yaml"])
def test_what_arrived_otherwise_is_told(hub, model, name):
    hub["spoil"] = lambda found, content: content[::-1] if found == name else content
    with pytest.raises(UploadError, match=f"{name} on the Hub is not the file that was sent"):
        upload(model.files)
    hub["spoil"] = lambda found, content: content[:-1] if found == name else content
    with pytest.raises(UploadError, match=f"{name} on the Hub is not the file that was sent"):
        upload(model.files)


def test_a_file_that_is_missing_afterwards_is_told(hub, model):
    hub["spoil"] = lambda found, content: None
    with pytest.raises(UploadError, match="the Hub does not have frog"):
        upload(model.files)


@pytest.mark.parametrize(
    ("where", "status", "words"),
    [
        ("create", 403, "the token in HF_TOKEN may not write to owner/frog"),
        ("create", 401, "the token in HF_TOKEN may not write to owner/frog"),
        ("batch", 400, "the Hub answered 400"),
        ("main", 413, "the Hub answered 413"),  # preupload and commit
    ],
)
def test_refusals_are_told_in_words(hub, model, where, status, words):
    hub["status"][where] = status
    with pytest.raises(UploadError) as caught:
        upload(model.files)
    assert words in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_token_that_the_hub_refuses_is_told_before_the_training(hub):
    refuse_bad_token("owner/frog")
    hub["status"]["whoami-v2"] = 401
    with pytest.raises(UserError, match="the Hub does not take the token in HF_TOKEN") as caught:
        refuse_bad_token("owner/frog")
    assert caught.value.code is ExitCode.MODEL
    hub["status"]["whoami-v2"] = 500  # it may be there when the training is done
    refuse_bad_token("owner/frog")


class Recorder(list):
    def emit(self, kind, **fields):
        self.append({"kind": kind, **fields})


def trained(model, **tables):
    config = {"hub": {"push": True, "repo_id": "owner/frog"}, **tables}
    return Trained(Config.model_validate(config), "Stable Diffusion 1.x", 7, model.files, {})


def test_the_end_of_a_run_says_where_the_model_is(hub, model):
    events = Recorder()
    assert publish(trained(model), events) == f"; uploaded to {hub['url']}/owner/frog"
    (uploaded,) = [event for event in events if event["kind"] == "uploaded"]
    assert (uploaded["files"], uploaded["bytes"], uploaded["step"]) == (2, 35009, 7)
    assert (uploaded["by"], uploaded["verified"]) == ("hub", True)
    assert {"kind": "phase", "name": "upload", "total": None} in events
    assert publish(trained(model, hub={}), events) == ""


def test_a_failed_upload_is_a_warning_with_the_command_to_repeat_it(hub, model):
    hub["status"]["create"] = 403
    events = Recorder()
    assert publish(trained(model), events) == "; the upload to the Hub failed"
    (warning,) = [event for event in events if event["kind"] == "warning"]
    file, yaml_file = model.files
    assert warning["code"] == UPLOAD_FAILED
    command = f"hf upload owner/frog {file} frog.safetensors && hf upload owner/frog {yaml_file} frog.yaml"
    assert warning["text"].endswith(f"to repeat: {command}")
    assert file.exists()


def test_the_card_names_the_method_and_nothing_private():
    concept = {"identifier": "sls", "class": "frog", "instance_dir": "/home/me/pictures"}
    tables = {"concept": [concept], "sample": {"prompts": [{"prompt": "secret prompt"}]}}
    card = model_card(Config.model_validate({"model": {"base": "owner/base"}, **tables}), "owner/frog", "SD", 7)
    _, head, text = card.split("---\n")
    assert yaml.safe_load(head)["base_model"] == "owner/base"
    assert "DreamBooth, 7 steps at 512 x 512" in text
    local = model_card(
        Config.model_validate({"model": {"base": "/home/me/m.safetensors"}, **tables}), "owner/frog", "SD", 7
    )
    assert "base_model" not in local
    for private in ("sls", "/home", "secret"):
        assert private not in card + local
