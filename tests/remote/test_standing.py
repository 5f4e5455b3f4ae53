"""Whether a run on another machine is alive, by what that says; and which lines of its events are new."""

import json

import pytest

from dbtui.remote.standing import Machine, Sight
from dbtui.remote.tail import RemoteLines
from trainer_core.errors import UserError
from trainer_core.run.flock import Standing

MACHINE = Machine("boot-1", "box", "pid:[1]", "ext2/ext3", "/runs/a")
HOLDER = {"pid": 7, "start": "4711", "boot_id": "boot-1", "host": "box", "pid_ns": "pid:[1]"}


def stat(state: str = "S", start: str = "4711") -> str:
    return f"7 (python (x) 3) {state} " + " ".join(["0"] * 18) + f" {start} 0 0"


def sight(
    held: str = "held", process: str = "", holder: dict | None = HOLDER, events: bytes = b"", **told: str
) -> Sight:
    lines = {"now": "1000", "held": held, "lock": json.dumps(holder) if holder else "", "process": process}
    lines |= {"made": "50_900", "events": f"{len(events)}_980", "first": "12 34", **told}
    return Sight.from_answer(
        "".join(f"{name} {value}\n" for name, value in lines.items()).encode() + b"\n" + events
    )


@pytest.mark.parametrize(
    ("seen", "standing"),
    [
        (sight(process=stat()), Standing.HERE),
        (sight(process=stat(start="9")), Standing.REMAINS),  # another process has its number now
        (sight(process=""), Standing.REMAINS),
        (sight("free", process=stat()), Standing.FREE),
        (sight("unknown", process=stat()), Standing.HERE),  # no flock there: the process tells
        (sight("unknown", process=stat(start="9")), Standing.FREE),
        (sight("unknown", process="Sat Nov 21 07:00:00 2026"), Standing.FREE),
        (sight("held", process="?"), Standing.HERE),  # processes of others are hidden there
        (sight("unknown", process="?"), Standing.ELSEWHERE),
        (sight("held", holder=None), Standing.STARTING),
        (sight("free", holder=None), Standing.FREE),
        (sight("held", holder={**HOLDER, "host": "other", "boot_id": "x"}), Standing.ELSEWHERE),
        (sight("unknown", holder={**HOLDER, "host": "other", "boot_id": "x"}), Standing.ELSEWHERE),
        (sight("free", holder={**HOLDER, "host": "other", "boot_id": "x"}), Standing.FREE),
        (sight("free", holder={**HOLDER, "pid_ns": "pid:[2]"}), Standing.FREE),
        (sight("unknown", holder={**HOLDER, "pid_ns": "pid:[2]"}), Standing.ELSEWHERE),
    ],
)
def test_how_a_lock_stands(seen: Sight, standing: Standing):
    assert seen.standing(MACHINE) is standing


def test_a_process_without_proc_is_known_by_what_ps_says():
    holder = {**HOLDER, "start": "Sat Nov 21 07:00:00 2026"}
    assert sight("unknown", process=holder["start"], holder=holder).standing(MACHINE) is Standing.HERE


def test_what_the_disk_there_cannot_tell():
    seen = sight("free", holder={**HOLDER, "host": "other", "boot_id": "x"})
    assert seen.standing(Machine("boot-1", "box", "pid:[1]", "fuseblk")) is Standing.ELSEWHERE


def test_the_clock_there_tells_how_long_nothing_was_heard():
    seen = sight(process=stat("T"))
    assert (seen.silence, seen.age) == (20.0, 100.0)
    assert seen.is_suspended(MACHINE)
    assert not sight(process=stat()).is_suspended(MACHINE)
    assert sight(now="?").silence == 0.0


@pytest.mark.parametrize("data", [b"", b"\n\n", b"now 1\n\n", b"\xff" * 100])
def test_an_answer_that_is_none(data: bytes):
    with pytest.raises(UserError, match="no way that is known"):
        Sight.from_answer(data)


class Far:
    """A file that is asked for as the other side is."""

    def __init__(self) -> None:
        self.data = b""
        self.lines = RemoteLines()

    def look(self) -> list[int]:
        offset, most = self.lines.offset, self.lines.most
        first = self.data.partition(b"\n")[0]
        seen = sight(events=self.data[offset : offset + most], first=str(hash(first)))
        seen = Sight(**{**vars(seen), "events_size": len(self.data)})
        return [record["n"] for record in self.lines.take(seen)]


def test_each_line_once_and_a_torn_one_when_it_is_whole():
    far = Far()
    far.data = b'{"n":1}\n{"n":2}\n{"n":'
    assert far.look() == [1, 2]
    assert far.look() == []
    far.data += b"3}\n"
    assert far.look() == [3]
    assert far.look() == []


def test_a_resume_cuts_the_torn_line_and_goes_on():
    far = Far()
    far.data = b'{"n":1}\n{"n":22222222'
    assert far.look() == [1]
    far.data = b'{"n":1}\n{"n":3}\n'  # shorter than what was seen, but not than what was read
    assert far.look() == [3]


def test_another_file_is_read_from_its_start():
    far = Far()
    far.data = b'{"n":1}\n{"n":2}\n'
    assert far.look() == [1, 2]
    far.data = b'{"n":9}\n'
    assert (far.look(), far.look()) == ([], [9])
    far.data = b'{"n":5}\n{"n":6}\n{"n":7}\n'  # longer, but it begins otherwise
    assert (far.look(), far.look()) == ([], [5, 6, 7])


def test_garbage_is_passed_over_and_a_long_line_is_read():
    far = Far()
    far.data = b'\x00\xff\n[1]\n{"n":1,"x":"' + b"y" * (far.lines.most + 5) + b'"}\n'
    assert far.look() == []
    assert far.lines.is_behind
    found = []
    while not found:
        found = far.look()
    assert found == [1]
    far.look()
    assert not far.lines.is_behind
