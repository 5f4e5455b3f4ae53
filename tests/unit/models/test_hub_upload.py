"""Uploads, spoken by huggingface_hub itself to a server on this machine that plays the Hub's upload protocol."""

import base64
import hashlib
import http.server
import json
import threading
import urllib.parse
from types import SimpleNamespace

import pytest
import yaml

from trainer_core.config.schema import Config
from trainer_core.errors import ExitCode, UserError
from trainer_core.models.hub_upload import UploadError, refuse_bad_token, upload_model
from trainer_core.train.publish import model_card, publish

TOKEN = "hf_" + "t" * 30
COMMIT = "89" * 20


def git_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class UploadHub(http.server.BaseHTTPRequestHandler):
    """One repository. `server.state` says how it behaves; `repository`, `stored` hold what arrived."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def do_PUT(self):
        self.answer()

    def answer(self):
        state, path = self.server.state, urllib.parse.urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state["asked"].append((self.command, path, self.headers.get("Authorization")))
        if status := state["status"].get(path.rpartition("/")[2]):
            return self.reply(status, {"error": "no"})
        if path == "/api/whoami-v2":
            return self.reply(200, {"name": "owner"})
        if path == "/api/repos/create":
            state["created"] = json.loads(body)
            return self.reply(200, {"url": f"{state['url']}/owner/frog"})
        if path == "/api/validate-yaml":
            return self.reply(200, {"errors": [], "warnings": []})
        if "/resolve/" in path:
            return self.resolve(path.rpartition("/")[2])
        if "/preupload/" in path:
            return self.reply(200, {"files": [self.mode(file) for file in json.loads(body)["files"]]})
        if path == "/owner/frog.git/info/lfs/objects/batch":
            return self.reply(200, {"objects": [self.lfs(each) for each in json.loads(body)["objects"]]})
        if path.startswith("/upload/"):
            state["stored"][path.rpartition("/")[2]] = body
            return self.reply(200, {})
        if path == "/verify":
            return self.reply(200, {})
        if "/commit/" in path:
            return self.commit([json.loads(line) for line in body.splitlines()])
        if "/paths-info/" in path:
            wanted = urllib.parse.parse_qs(body.decode())["paths"]
            return self.reply(200, [self.info(name) for name in wanted if name in state["repository"]])
        return self.reply(404, {"error": "unknown"})

    def resolve(self, name):
        found = name in self.server.state["repository"]
        headers = {"ETag": '"x"', "X-Repo-Commit": COMMIT} if found else {"X-Error-Code": "EntryNotFound"}
        self.reply(200 if found else 404, None, headers)

    def mode(self, file):
        lfs = file["path"].endswith((".safetensors", ".ckpt"))
        return {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}

    def lfs(self, wanted):
        url = self.server.state["url"]
        actions = {"upload": {"href": f"{url}/upload/{wanted['oid']}"}, "verify": {"href": f"{url}/verify"}}
        return {**wanted, "actions": actions}

    def commit(self, lines):
        state = self.server.state
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                state["message"] = value["summary"]
            elif line["key"] == "file":
                state["repository"][value["path"]] = (base64.b64decode(value["content"]), False)
            else:
                state["repository"][value["path"]] = (state["stored"][value["oid"]], True)
        self.reply(200, {"commitUrl": f"{state['url']}/owner/frog/commit/{COMMIT}", "commitOid": COMMIT})

    def info(self, name):
        content, is_lfs = self.server.state["repository"][name]
        content = self.server.state["spoil"](name, content)
        found = {"type": "file", "path": name, "size": len(content), "oid": git_id(content)}
        if is_lfs:
            oid = hashlib.sha256(content).hexdigest()
            found["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
        return found

    def reply(self, status, content, headers=None):
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@pytest.fixture
def hub(monkeypatch):
    from huggingface_hub import constants

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), UploadHub)
    url = f"http://127.0.0.1:{server.server_port}"
    server.state = {"url": url, "asked": [], "status": {}, "repository": {}, "stored": {}}
    server.state["spoil"] = lambda name, content: content
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", url)  # as HF_ENDPOINT does
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server.state
    server.shutdown()
    server.server_close()


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
    sent = {authorization for command, path, authorization in hub["asked"] if not path.startswith("/upload/")}
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


def test_a_file_that_is_missing_afterwards_is_told(hub, model, monkeypatch):
    monkeypatch.setattr(UploadHub, "info", lambda self, name: {"type": "directory", "path": "x", "oid": "0" * 40})
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


def job(**tables):
    config = {"hub": {"push": True, "repo_id": "owner/frog"}, **tables}
    family = SimpleNamespace(title="Stable Diffusion 1.x")
    return SimpleNamespace(
        config=Config.model_validate(config), model=SimpleNamespace(family=family), step=7, adapters=None
    )


def test_the_end_of_a_run_says_where_the_model_is(hub, model):
    events = Recorder()
    assert publish(job(), model.files, events) == f"; uploaded to {hub['url']}/owner/frog"
    (uploaded,) = [event for event in events if event["kind"] == "uploaded"]
    assert (uploaded["files"], uploaded["bytes"], uploaded["step"]) == (2, 35009, 7)
    assert {"kind": "phase", "name": "upload", "total": None} in events
    assert publish(job(hub={}), model.files, events) == ""


def test_a_failed_upload_is_a_warning_with_the_command_to_repeat_it(hub, model):
    hub["status"]["create"] = 403
    events = Recorder()
    assert publish(job(), model.files, events) == "; the upload to the Hub failed"
    (warning,) = [event for event in events if event["kind"] == "warning"]
    file, yaml_file = model.files
    command = f"hf upload owner/frog {file} frog.safetensors && hf upload owner/frog {yaml_file} frog.yaml"
    assert warning["text"].endswith(f"to repeat: {command}")
    assert file.exists()


def test_the_card_names_the_method_and_nothing_private():
    concept = {"identifier": "sls", "class": "frog", "instance_dir": "/home/me/pictures"}
    tables = {"concept": [concept], "sample": {"prompts": [{"prompt": "secret prompt"}]}}
    card = model_card(job(model={"base": "owner/base"}, **tables).config, "owner/frog", "SD", 7)
    _, head, text = card.split("---\n")
    assert yaml.safe_load(head)["base_model"] == "owner/base"
    assert "DreamBooth, 7 steps at 512 x 512" in text
    local = model_card(job(model={"base": "/home/me/m.safetensors"}, **tables).config, "owner/frog", "SD", 7)
    assert "base_model" not in local
    for private in ("sls", "/home", "secret"):
        assert private not in card + local
