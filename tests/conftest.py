"""What tests of several folders share: the acceptance table, and the Hub's upload protocol on this machine."""

import base64
import hashlib
import http.server
import json
import signal
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import table

COMMIT = "89" * 20
ROOT = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    table.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    table.install(config)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it leaves in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take longest, so that all workers are done at nearly the same time."""
    longest_first = ("faults", "wizard", "process", "trainer")
    place = {folder: number for number, folder in enumerate(longest_first)}
    items.sort(key=lambda item: place.get(item.path.relative_to(ROOT).parts[0], len(place)))


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
        if content is None:
            return {"type": "directory", "path": name, "oid": COMMIT}
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


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the configuration of whoever runs the tests: it may hold commands to run when a training ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBTUI_CONFIG_DIR", str(tmp_path_factory.mktemp("configuration")))
        patch.setenv("OMP_NUM_THREADS", "1")  # of every trainer that is started: the tests share two cores
        yield


@pytest.fixture(scope="module")
def upload_hub() -> Iterator[dict[str, Any]]:
    """Start a Hub with the repository owner/frog; its state tells and decides how it behaves.

    `url`; `asked`: what was requested; `status`: an error status by a path's last part; `repository`: content and
    whether it is stored as LFS, by name; `spoil`: changes the content that the Hub tells of.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), UploadHub)
    state: dict[str, Any] = {"url": f"http://127.0.0.1:{server.server_port}", "asked": [], "status": {}}
    state |= {"repository": {}, "stored": {}, "spoil": lambda name, content: content}
    server.state = state  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()
