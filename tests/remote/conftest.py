"""The other side, "box": a real sshd on the loopback address with keys made for the test, or a pretended ssh."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from trainer_core.run.directory import RunDirectory
from trainer_core.run.lines import encode_line

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")
TOOLS = SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")


@dataclass
class Box:
    """The other side: an sshd, what its log says, and the ssh that reaches it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    @property
    def path(self) -> str:
        """A PATH whose ssh reads the test's configuration and no other."""
        return f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def sessions(self) -> list[int]:
        """The sshd processes that serve a connection."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, IndexError):
                pid, _, rest = stat.read_text(errors="replace").partition(" ")
                if rest.rpartition(")")[2].split()[1] == str(self.process.pid):
                    found.append(int(pid))
        return found

    def cut(self) -> None:
        """Cut every connection: kill the processes that serve them, and theirs."""
        for pid in self.sessions():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.cut()

    def start(self) -> None:
        self.process = _start(self.folder, self.port)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if not TOOLS:
        pytest.skip("there is no sshd here: apt install openssh-server")
    folder = tmp_path_factory.mktemp("box")
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of Debian insists on it
    port, process = _start_somewhere(folder)
    _write_client(folder, port)
    made = Box(folder, port, process)
    yield made
    made.stop()


def _start_somewhere(folder: Path) -> tuple[int, subprocess.Popen[bytes]]:
    for _ in range(5):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        _write_server(folder, port)
        with suppress(RuntimeError):  # somebody else took the port meanwhile
            return port, _start(folder, port)
    pytest.skip(f"sshd does not start here: {(folder / 'sshd.log').read_text(errors='replace')[-300:]}")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    with (folder / "sshd.log").open("ab") as log:
        command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("sshd ended")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if connection.recv(4) == b"SSH-":
                return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError("sshd does not answer")


def _write_server(folder: Path, port: int) -> None:
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nUsePAM no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nLogLevel VERBOSE\n"
    )


def _write_client(folder: Path, port: int) -> None:
    key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    (folder / "ssh_config").write_text(
        f"Host stranger\n UserKnownHostsFile {folder}/met_before\n StrictHostKeyChecking ask\n"
        f"Host box stranger\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f"Host *\n IdentityFile {folder}/user_key\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n"
    )
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda path: monkeypatch.setenv("PATH", path)


@pytest.fixture
def reachable(box: Box, on_path: Callable[[str], None]) -> Box:
    """The box, reached by whatever this test starts."""
    on_path(box.path)
    return box


PRETENDED = """#!/bin/sh
echo $$ >>"{folder}/pids"
[ -e "{folder}/down" ] && echo "ssh: connect to host box port 22: No route to host" >&2 && exit 255
for last; do :; done
cd "{folder}" || exit
HOME="{folder}" exec {shell} -c "$last"
"""
"""An ssh that runs the command here, as a login shell of the other side would."""


@dataclass
class Pretence:
    """Another side that is a folder of this machine. `cut` ends its connections; `down` lets no new ones come."""

    folder: Path

    def cut(self) -> None:
        for line in (self.folder / "pids").read_text().split():
            with suppress(ProcessLookupError):
                os.killpg(int(line), signal.SIGKILL)  # what asks nobody leads a group of its own
        (self.folder / "pids").write_text("")

    def go_down(self) -> None:
        (self.folder / "down").touch()
        self.cut()

    def come_up(self) -> None:
        (self.folder / "down").unlink()


@pytest.fixture
def pretended(tmp_path: Path, on_path: Callable[[str], None]) -> Callable[..., Pretence]:
    def make(program: str = PRETENDED, shell: str = "sh") -> Pretence:
        folder = tmp_path / "far"
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        wrapper = folder / "bin" / "ssh"
        wrapper.write_text(program.format(folder=folder, shell=shell) if program is PRETENDED else program)
        wrapper.chmod(0o755)
        (folder / "pids").touch()
        on_path(f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        return Pretence(folder)

    return make


@pytest.fixture
def far(pretended: Callable[..., Pretence]) -> Pretence:
    return pretended()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Make a run on the other side, with some files and events; nobody trains it."""

    def make(name: str = "sls-frog-1", steps: int = 20, folder: Path | None = None) -> RunDirectory:
        text = '[[concept]]\nidentifier = "sls"\nclass = "frog"\n'
        run = RunDirectory((folder or tmp_path / "far" / "runs") / name)
        run.path.mkdir(parents=True)
        run.run_toml.write_text(text)
        begin = [
            {"kind": "format", "version": 1, "run": name, "started": 1.8e9},
            {"kind": "phase", "name": "train", "total": 100},
        ]
        add_events(run, *begin, *({"kind": "step", "step": step, "loss": 0.1} for step in range(1, steps + 1)))
        for path, size in (("output/last.safetensors", 300_000), ("samples/000010-0.png", 5000)):
            place = run.path / path
            place.parent.mkdir()
            place.write_bytes(os.urandom(size))
        state = run.checkpoints / "000020" / "state.safetensors"
        state.parent.mkdir(parents=True)
        state.write_bytes(os.urandom(1000))
        run.console_log.write_text("loading\n")
        return run

    return make


def add_events(run: RunDirectory, *events: dict) -> None:
    now = {"t": time.time(), "mono": time.monotonic()}
    with run.events.open("ab", buffering=0) as file:
        file.write(b"".join(encode_line({**now, **event}) for event in events))


def wait_until(condition: Callable[[], object], what: str, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)
