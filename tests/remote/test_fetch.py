"""Runs that are brought here: whole, verified, resumable, and whatever the other side may say."""

import errno
import fcntl
import os
import shutil

import pytest

from dbtui.dashboard.state import RunState
from dbtui.remote import fetch as fetch_module
from dbtui.remote.fetch import Fetch, with_their_checkpoints
from dbtui.remote.listing import read_listing
from dbtui.remote.origin import read_origin
from dbtui.remote.session import Session
from dbtui.remote.staging import Gathering
from dbtui.remote.target import Target
from tests.remote.conftest import add_events
from trainer_core.errors import ExitCode, UserError
from trainer_core.run.directory import RunDirectory
from trainer_core.run.lock import acquire

DIVIDER = b"\nmark\n"


class Meter:
    """Calls a hook once, when so many bytes are being brought."""

    def __init__(self, hook, after: int) -> None:
        self._hook, self._after = hook, after
        self._doing = ""

    def begin(self, doing: str, total: int) -> None:
        self._doing = doing
        self.add(0)

    def add(self, count: int) -> None:
        if self._doing == "fetching" and self._hook:
            self._after -= count
            if self._after <= 0:
                hook, self._hook = self._hook, None
                hook()

    def rest(self) -> None:
        pass


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Fetch a run to here/copy."""
    monkeypatch.setattr(fetch_module, "_PAUSES", (0.01, 0.01))

    def call(run: RunDirectory, place="here/copy", hook=None, after=0, **options):
        target, meter, said = Target("box", str(run.path)), Meter(hook, after), []
        call.said = said
        connect = lambda: Session(target)  # noqa: E731
        return Fetch(target, tmp_path / place, connect, said.append, meter).fetch(**options)

    return call


def names_in(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


def files(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "fetched.json"
    }


def test_a_run_is_brought_without_its_checkpoints_or_with_them(far, make_run, fetch, tmp_path):
    run = make_run()
    (run.path / "output" / " two  spaces'\\n$(x) ").write_bytes(b"")
    (run.path / "output" / os.fsdecode(b"\x81\xff")).write_bytes(b"x")
    (run.path / ".tmp-half").mkdir()
    (run.path / ".tmp-half" / "file").write_bytes(b"half")
    (run.path / "link").symlink_to("/etc/passwd")
    os.mkfifo(run.path / "pipe")
    (run.path / "line\nbreak").write_bytes(b"x")
    os.utime(run.events, (1.7e9, 1.7e9))
    acquire(run).release()
    wanted = files(run.path)
    for name in ("run.lock", ".tmp-half/file", "line\nbreak", "link"):
        wanted.pop(name, None)
    states = {name: wanted.pop(name) for name in list(wanted) if name.startswith("checkpoints/")}
    fetched = fetch(run)
    copy = tmp_path / "here" / "copy"
    assert files(copy) == wanted
    assert set(fetched.left_out) == {"link", "pipe"}
    assert (fetched.files, fetched.size) == (len(wanted), sum(map(len, wanted.values())))
    assert (fetched.brought, fetched.is_verified, fetched.changed) == (fetched.size, True, ())
    assert (copy / "events.jsonl").stat().st_mtime == 1.7e9
    assert copy.stat().st_mode & 0o777 == 0o700
    again = fetch(run, checkpoints=True)
    assert files(copy) == {**wanted, **states}
    assert again.brought == sum(map(len, states.values()))
    assert names_in(copy.parent) == ["copy"]


def test_a_live_run_gives_whole_lines_and_is_brought_again_later(far, make_run, fetch, tmp_path):
    run, copy = make_run(), RunDirectory(tmp_path / "here" / "copy")
    lock = acquire(run)
    with run.events.open("ab") as file:
        file.write(b'{"kind":"step","st')
    assert fetch(run).status == "running"
    assert copy.events.read_bytes() == run.events.read_bytes().rpartition(b"\n")[0] + b"\n"
    origin = read_origin(copy)
    assert (origin.place, origin.status, origin.is_copy(copy)) == ("box", "running", True)
    lock.release()
    with run.events.open("ab") as file:
        file.write(b'ep":21}\n')
    add_events(run, {"kind": "finished", "exit_code": 0, "text": "done", "step": 21, "outputs": []})
    again = fetch(run)
    assert again.status == "done"
    assert files(copy.path)["events.jsonl"] == run.events.read_bytes()
    assert again.brought < 20_000


def test_a_connection_that_breaks_in_a_file_goes_on_inside_it(far, make_run, fetch, tmp_path):
    run = make_run()
    big = run.output / "last.safetensors"
    big.write_bytes(os.urandom(30_000_000))
    fetched = fetch(run, hook=far.cut, after=3_000_000)
    assert files(tmp_path / "here" / "copy")["output/last.safetensors"] == big.read_bytes()
    assert any("connection lost" in line for line in fetch.said)
    assert fetched.brought == fetched.size  # no byte came twice


def test_a_fetch_that_was_given_up_goes_on(far, make_run, fetch, tmp_path):
    run = make_run()
    (run.output / "last.safetensors").write_bytes(os.urandom(30_000_000))
    with pytest.raises(UserError, match="the same command goes on where it was") as caught:
        fetch(run, hook=far.go_down, after=3_000_000)
    assert caught.value.code is ExitCode.FAILED
    assert not (tmp_path / "here" / "copy").exists()
    gathered = sum(path.stat().st_size for path in (tmp_path / "here").rglob("*") if path.is_file())
    far.come_up()
    fetched = fetch(run)
    assert 3_000_000 <= gathered < 30_000_000
    assert fetched.brought == fetched.size - gathered
    (tmp_path / "here" / ".fetch-copy").mkdir()
    assert fetch(run).brought == 0
    assert names_in(tmp_path / "here") == ["copy"]


def test_what_was_gathered_and_is_not_right_is_brought_anew(far, make_run, fetch, tmp_path):
    run = make_run()
    staging = tmp_path / "here" / ".fetch-copy"
    (staging / "output").mkdir(parents=True)
    (staging / "output" / "last.safetensors").write_bytes(b"wrong" * 1000)
    (staging / "samples").mkdir()
    (staging / "samples" / "gone.png").write_bytes(b"no longer there")
    fetch(run)
    got = files(tmp_path / "here" / "copy")
    assert got["output/last.safetensors"] == (run.output / "last.safetensors").read_bytes()
    assert "samples/gone.png" not in got


def test_files_that_change_or_go_away_meanwhile(far, make_run, fetch, tmp_path):
    run = make_run()

    def meanwhile() -> None:
        (run.output / "last.safetensors").write_bytes(b"new" * 50_000)
        (run.samples / "000010-0.png").unlink()
        (run.checkpoints / "000020" / "state.safetensors").unlink()

    (run.checkpoints / "000020" / "manifest.json").write_text("{}")
    fetched = fetch(run, hook=meanwhile, checkpoints=True)
    assert set(fetched.changed) == {"samples/000010-0.png", "checkpoints/000020/state.safetensors"}
    got = files(tmp_path / "here" / "copy")
    assert got["output/last.safetensors"] == b"new" * 50_000
    assert got.keys() == {"run.toml", "events.jsonl", "console.log", "output/last.safetensors"}


def test_a_checkpoint_of_which_a_file_is_gone_is_left_out_whole():
    names = ["checkpoints/000020/a", "checkpoints/000020/b", "checkpoints/000040/a", "output/a"]
    assert with_their_checkpoints(["checkpoints/000020/a", "output/a"], names) == {*names[:2], "output/a"}


@pytest.mark.parametrize(
    "name",
    [
        b"../x",
        b"/etc/x",
        b"a/../x",
        b"a//x",
        b"./x",
        b".ssh/x",
        b"a/.x",
        b"x\0y",
        b"a" * 256,
        b"a/" * 16 + b"x",
        b"",
    ],
)
def test_names_that_no_run_has_are_refused(name: bytes):
    with pytest.raises(UserError, match="nothing of it was taken") as caught:
        read_listing(b"5 6 ./run.toml\n5 6 ./" + name + b"\n" + DIVIDER[1:], DIVIDER)
    assert caught.value.code is ExitCode.FAILED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5 6 ./a\n",
        b"-5 6 ./a\nmark\n",
        b"9999999999999999 6 ./a\nmark\n",
        b"5 6 a\nmark\n",
        b"x\nmark\n",
        b"5 6 ./a\n5 6 ./a/b\nmark\n",
    ],
)
def test_listings_that_are_none(data: bytes):
    with pytest.raises(UserError, match="nothing of it was taken"):
        read_listing(data, DIVIDER)


def test_a_listing():
    listing = read_listing(
        b"5 6 ./a b\n1 -2 ./c/d\n9 9 ./run.lock\n9 9 ./fetched.json\nmark\n./l\x1bink\n", DIVIDER
    )
    assert [(file.name, file.size, file.changed) for file in listing.files] == [("a b", 5, 6), ("c/d", 1, -2)]
    assert listing.left_out == (r"l\x1bink",)


def test_a_file_that_is_more_than_was_listed_is_cut_off(far, make_run, fetch, tmp_path, monkeypatch):
    """The other side's own `head` would not send more; a hostile one does."""
    run = make_run()
    head = far.folder / "bin" / "head"
    head.write_text("#!/bin/sh\ncat /dev/zero | tr '\\0' x\n")
    head.chmod(0o755)
    monkeypatch.setattr("dbtui.remote.fetch._look", lambda session: ("done", RunState()))
    with pytest.raises(UserError, match="more than it was asked for"):
        fetch(run)
    assert not (tmp_path / "here" / "copy").exists()
    here = tmp_path / "here"
    assert sum(path.stat().st_size for path in here.rglob("*") if path.is_file()) <= 400_000


def test_a_disk_without_room(far, make_run, fetch, tmp_path, monkeypatch):
    run = make_run()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=17 * 2**20))
    (run.output / "big").write_bytes(bytes(2 * 2**20))
    with pytest.raises(UserError, match=r"not enough room: .* are needed and .* are free") as caught:
        fetch(run)
    assert caught.value.code is ExitCode.DISK
    assert names_in(tmp_path / "here") == []


def test_a_disk_that_fills_up(far, make_run, fetch, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Gathering, "write", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        fetch(make_run())
    assert caught.value.code is ExitCode.DISK


def test_places_that_are_taken(far, make_run, fetch, tmp_path):
    run, other = make_run(), make_run("other", steps=30)
    copy = RunDirectory(tmp_path / "here" / "copy")
    fetch(run)
    with pytest.raises(UserError, match="is a copy of another run"):
        fetch(other)
    with pytest.raises(UserError, match="is no copy of a fetched run"):
        fetch(run, place="far/runs/other")
    lock = acquire(copy)
    with pytest.raises(UserError, match="is being trained here") as caught:
        fetch(run)
    assert caught.value.code is ExitCode.LOCKED
    lock.release()
    add_events(copy, {"kind": "step", "step": 21})
    with pytest.raises(UserError, match="was trained on here since"):
        fetch(run)


def test_models_that_lie_elsewhere_are_named(far, make_run, fetch):
    run = make_run()
    add_events(run, {"kind": "saved", "step": 20, "path": str(run.output / "last.safetensors")})
    assert fetch(run).elsewhere == ()
    add_events(run, {"kind": "saved", "step": 20, "path": "/models/fr\x1bog.safetensors"})
    assert fetch(run).elsewhere == (r"/models/fr\x1bog.safetensors",)


def test_two_fetches_at_a_time(far, make_run, fetch, tmp_path):
    run = make_run()
    (tmp_path / "here" / ".fetch-copy").mkdir(parents=True)
    held = os.open(tmp_path / "here" / ".fetch-copy", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(UserError, match="is being fetched by another") as caught:
        fetch(run)
    assert caught.value.code is ExitCode.LOCKED
    os.close(held)
    fetch(run)


def test_a_link_in_the_copy_leads_nowhere(far, make_run, fetch, tmp_path):
    run, copy = make_run(), tmp_path / "here" / "copy"
    fetch(run)
    shutil.rmtree(copy / "samples")
    (tmp_path / "elsewhere").mkdir()
    (copy / "samples").symlink_to(tmp_path / "elsewhere")
    (run.samples / "000020-0.png").write_bytes(b"new")
    with pytest.raises(UserError, match="is a link that leads out of the run"):
        fetch(run)
    assert names_in(tmp_path / "elsewhere") == []
