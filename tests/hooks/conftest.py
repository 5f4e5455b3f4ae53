import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trainer_core.run.directory import RunDirectory, create_run


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that writes the person's configuration file."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    monkeypatch.setenv("DBTUI_CONFIG_DIR", str(folder))

    def write(text: str) -> Path:
        path = folder / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_run(tmp_path / "runs", "sls-frog-1", "schema = 1\n")


class Receiver(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass

    def do_POST(self) -> None:
        state: Any = self.server.state  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        state.received.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(state.answers.pop(0) if state.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:  # what a redirect would become
        self.server.state.received.append((self.path, {}, None))  # type: ignore[attr-defined]


@pytest.fixture
def webhook() -> Iterator[SimpleNamespace]:
    """A service on this machine: `url`, the status of each of its next `answers`, and what it `received`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    state = SimpleNamespace(server=server, answers=[], received=[])
    state.url = f"http://127.0.0.1:{server.server_port}/hook/SECRETPATH"
    server.state = state  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()
