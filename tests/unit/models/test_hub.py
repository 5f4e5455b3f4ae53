"""The Hub, played by a server on this machine that speaks the few endpoints which huggingface_hub asks."""

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trainer_core.models.hub import choose_captioner_files, choose_model_files, choose_vae_files, without_token

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHUNK = 2**16

FETCH = """
import sys
from trainer_core.errors import UserError
from trainer_core.models.hub import fetch_model
try:
    print("fetched", fetch_model(sys.argv[1], None, lambda text: print("progress:", text, flush=True)))
except UserError as error:
    print("refused", int(error.code), error)
assert "torch" not in sys.modules
"""
LOAD = """
import sys
from trainer_core.config.schema import Model
from trainer_core.models.load import load_model
model = load_model(Model(base=sys.argv[1], vae=sys.argv[2]))
print("loaded", model.family.name, model.prediction, model.info.base, model.info.format)
"""


def file_name(path):
    """Return the file that `/owner/tiny/resolve/<revision>/<file>` asks for."""
    return path.partition("/resolve/")[2].partition("/")[2]


class FakeHub(http.server.BaseHTTPRequestHandler):
    """Serves one repository; `server.state` says how it behaves and records what was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        state = self.server.state
        state["asked"].append(
            (self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization"))
        )
        if status := state.get("status"):
            headers = {"X-Error-Code": state["error"]} if "error" in state else {}
            return self.reply(status, b"{}", body, {**headers, "X-Request-Id": "r"})
        files = state["vae"] if "owner/vae" in self.path else state["files"]
        if self.path.startswith("/api/models/owner/"):
            names = [{"rfilename": name} for name in files]
            information = {"id": "owner/tiny", "modelId": "owner/tiny", "sha": COMMIT, "siblings": names}
            return self.reply(200, json.dumps(information).encode(), body)
        name = file_name(self.path)
        if name not in files:
            return self.reply(404, b"", body, {"X-Error-Code": "RepoNotFound"})
        return self.send_file(name, files[name], body)

    def send_file(self, name, content, body):
        state = self.server.state
        etag = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        start, status = 0, 200
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = state.get("cut", {}).get(name) if body and start == 0 else None
        sent = content[start:]
        self.reply(status, sent if cut is None else sent[:cut], body, headers, length=len(sent))
        if cut is not None:
            if state.get("hang"):
                state["hanging"].set()
                state["resume"].wait(30)
            self.close_connection = True

    def reply(self, status, content, body, headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if body:
            with contextlib.suppress(OSError):
                self.wfile.write(content)
                self.wfile.flush()


@pytest.fixture
def hub(saved):
    """Start the server with a tiny Diffusers model, and files that training does not need."""
    folder = saved("sd2-v", "diffusers")
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    unused = [
        "README.md",
        "canary.py",
        "big.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "safety_checker/model.safetensors",
    ]
    files |= dict.fromkeys(unused, b"never asked for")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    server.daemon_threads = True
    server.state = {"files": files, "asked": [], "hanging": threading.Event(), "resume": threading.Event()}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.state["resume"].set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(hub, tmp_path):
    """Fetch a Hub id in a process of its own, whose Hub is the server; return what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
        "NO_PROXY": "127.0.0.1",
        "HF_TOKEN": "hf_secretsecretsecret",
        "OMP_NUM_THREADS": "1",
    }

    def start(*arguments, script=FETCH, **extra):
        command = [sys.executable, "-c", script, *(arguments or ["owner/tiny"])]
        return subprocess.Popen(
            command, env=environment | extra, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def fetch(*arguments, **extra):
        said = start(*arguments, **extra).communicate(timeout=120)[0]
        assert "hf_secret" not in said
        return said

    fetch.start = start
    return fetch


def bodies(hub, part):
    return [asked for asked in hub.state["asked"] if asked[0] == "GET" and part in asked[1]]


@pytest.mark.row(46)
def test_only_the_needed_files_are_fetched_and_later_none(hub, fetch, load, same_weights, saved):
    said = fetch()
    assert "asking the Hub" in said
    asked = {file_name(path) for _, path, _, _ in hub.state["asked"] if "/resolve/" in path}
    assert asked == {
        "model_index.json",
        "scheduler/scheduler_config.json",
        *(f"{part}/config.json" for part in ("unet", "vae", "text_encoder")),
        *(f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")),
        "text_encoder/model.safetensors",
    }
    assert len(bodies(hub, "unet/diffusion")) == 1
    assert same_weights(load(said.split()[-1]), load(saved("sd2-v")))
    hub.state["asked"].clear()
    assert "fetched" in fetch()
    assert bodies(hub, "/resolve/") == []
    hub.state["asked"].clear()
    assert "fetched" in fetch(HF_HUB_OFFLINE="1")
    assert hub.state["asked"] == []


@pytest.mark.row(47)
def test_a_broken_connection_is_resumed(hub, fetch):
    name = "unet/diffusion_pytorch_model.safetensors"
    hub.state["cut"] = {name: 11_000_000}  # huggingface_hub writes in portions of ten million bytes
    said = fetch()
    assert "fetched" in said, said
    ranges = [asked[2] for asked in bodies(hub, name)]
    assert ranges[0] is None
    assert all(wanted is not None and int(wanted[6:-1]) > 0 for wanted in ranges[1:])
    assert len(ranges) == 2


@pytest.mark.row(47)
def test_a_killed_download_goes_on_where_it_stopped(hub, fetch, tmp_path):
    name = "unet/diffusion_pytorch_model.safetensors"
    hub.state |= {"cut": {name: 11_000_000}, "hang": True}
    process = fetch.start()
    assert hub.state["hanging"].wait(60)
    partial = wait_for_partial(tmp_path)
    process.kill()
    process.communicate()
    size = partial.stat().st_size
    hub.state["resume"].set()
    del hub.state["cut"]
    hub.state["asked"].clear()
    assert "fetched" in fetch()
    assert [asked[2] for asked in bodies(hub, name)] == [f"bytes={size}-"]
    assert not partial.exists()


def wait_for_partial(tmp_path):
    import time

    for _ in range(300):
        found = [path for path in (tmp_path / "hf").rglob("*.dbtui-partial") if path.stat().st_size > 1_000_000]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing arrived")


def test_a_file_that_arrives_damaged_is_not_used(hub, fetch, tmp_path):
    name = "unet/diffusion_pytorch_model.safetensors"
    blobs = tmp_path / "hf" / "hub" / "models--owner--tiny" / "blobs"
    blobs.mkdir(parents=True)
    etag = hashlib.sha256(hub.state["files"][name]).hexdigest()
    (blobs / f"{etag}.dbtui-partial").write_bytes(b"\0" * 2_000_000)
    assert "arrived damaged" in fetch()
    assert "fetched" in fetch()


@pytest.mark.row(47)
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"status": 403, "error": "GatedRepo"}, ["gated", "https://huggingface.co/owner/tiny", "hf auth login"]),
        ({"status": 401, "error": "RepoNotFound"}, ["neither a file or folder here, nor a public model"]),
        ({"status": 404, "error": "RepoNotFound"}, ["neither a file or folder here, nor a public model"]),
        ({"status": 404, "error": "RevisionNotFound"}, ["there is no revision", "tree/main"]),
        ({"status": 403}, ["answered 403"]),
    ],
)
def test_refusals_are_told_apart(hub, fetch, state, words):
    hub.state |= state
    said = fetch()
    assert "refused 4 owner/tiny: " in said
    assert all(word in said for word in words), said
    assert "Traceback" not in said


def test_a_repository_without_a_model(hub, fetch):
    hub.state["files"] = {"README.md": b"hello"}
    assert "refused 4 owner/tiny: this repository holds no SD 1.x or 2.x model" in fetch()


@pytest.mark.row(46)
def test_without_a_network_and_without_a_cache(fetch):
    offline = fetch(HF_HUB_OFFLINE="1")
    nobody = fetch(HF_ENDPOINT="http://127.0.0.1:9")
    for said in (offline, nobody):
        assert "refused 4 owner/tiny: not complete in the Hub's cache" in said
        assert "`hf download owner/tiny`" in said
        assert "Traceback" not in said


def test_a_hub_id_is_loaded_like_any_model_and_gives_its_vae(hub, fetch, saved):
    hub.state["files"] = {"model.safetensors": saved("sd1").read_bytes(), "README.md": b""}
    vae = saved("sd1", "diffusers") / "vae"
    hub.state["vae"] = {file.name: file.read_bytes() for file in vae.iterdir()}
    assert fetch("owner/tiny", "owner/vae", script=LOAD) == "loaded sd1 epsilon owner/tiny safetensors\n"
    assert len(bodies(hub, "owner/vae/resolve")) == 2


def test_the_choice_of_files():
    whole = [f"{part}/config.json" for part in ("unet", "vae", "text_encoder")] + ["model_index.json"]
    pickles = [
        "unet/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/pytorch_model.bin",
    ]
    assert set(choose_model_files([*whole, *pickles])) == {*whole, *pickles}
    variants = [name.replace("pytorch_model.bin", "pytorch_model.fp16.safetensors") for name in pickles[:2]]
    chosen = choose_model_files([*whole, *pickles, *variants])
    assert set(variants) <= set(chosen)
    assert "text_encoder/pytorch_model.bin" in chosen
    shards = [f"unet/diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    assert set(shards) <= set(choose_model_files([*whole, *shards]))
    assert choose_model_files(["a.safetensors", "b.safetensors"]) == []
    assert choose_model_files(["sub/a.safetensors"]) == []
    assert choose_vae_files(["vae/config.json", "vae/diffusion_pytorch_model.safetensors", "unet/x"]) == [
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert choose_vae_files(["README.md"]) == []


@pytest.mark.row(47)
def test_tokens_never_show():
    assert without_token("bad token hf_abcdefgh12345 in url\nmore") == "bad token hf_*** in url"


FETCH_TOKENIZER = """
import sys
from trainer_core.errors import UserError
from trainer_core.models.tokenizer_files import find_tokenizer
try:
    tokenizer = find_tokenizer(sys.argv[1], lambda text: None)
    print("tokens", tokenizer.split(["a dog"]), len(tokenizer.words.ids))
except UserError as error:
    print("refused", int(error.code), error)
"""


def test_a_tokenizer_alone_is_fetched_and_later_not(hub, fetch):
    said = fetch("owner/tiny", script=FETCH_TOKENIZER)
    assert said.strip() == "tokens [[320, 1929]] 49408"
    asked = {file_name(path) for _, path, _, _ in hub.state["asked"] if "/resolve/" in path}
    assert asked == {"tokenizer/vocab.json", "tokenizer/merges.txt"}
    assert fetch("owner/tiny", script=FETCH_TOKENIZER, HF_HUB_OFFLINE="1") == said
    hub.state["files"] = {"README.md": b"hello"}
    assert "refused 4 owner/other: this repository holds no CLIP tokenizer" in fetch(
        "owner/other", script=FETCH_TOKENIZER
    )


def test_a_captioner_is_fetched_without_what_it_does_not_need(hub, fetch):
    script = FETCH.replace("fetch_model", "fetch_captioner").replace("sys.argv[1], None,", "sys.argv[1],")
    hub.state["files"] = {
        "model.onnx": b"onnx",
        "selected_tags.csv": b"name",
        "model.safetensors": b"never asked for",
    }
    said = fetch.start(script=script).communicate(timeout=120)[0]
    assert "fetched" in said
    folder = Path(said.split()[-1])
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "selected_tags.csv"]
    hub.state["files"] = {"README.md": b"x"}
    assert (
        "holds no BLIP and no WD tagger" in fetch.start("owner/other", script=script).communicate(timeout=120)[0]
    )


def test_the_choice_of_a_captioner():
    blip = ["config.json", "preprocessor_config.json", "tokenizer.json", "pytorch_model.bin", "model.safetensors"]
    assert choose_captioner_files([*blip, "tf_model.h5", "README.md"]) == [
        "config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "model.safetensors",
    ]
    assert "pytorch_model.bin" in choose_captioner_files(blip[:-1])
    assert choose_captioner_files(["model.onnx"]) == []
    assert choose_captioner_files(["config.json", "model.safetensors"]) == []
