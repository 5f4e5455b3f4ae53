"""How a run on another machine stands, by what that machine says of its lock, processes and clock. Pure."""

from dataclasses import dataclass, field

from trainer_core.errors import ExitCode, UserError
from trainer_core.run.flock import Standing
from trainer_core.run.process import ProcessIdentity

_TELLS_ALL = {
    "ext2/ext3",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "zfs",
    "bcachefs",
    "overlayfs",
    "aufs",
    "tmpfs",
    "ramfs",
}
_TELLS_ALL |= {"nfs", "nfs4"}
"""File systems, as stat(1) calls them, whose flock nobody can hold unseen; see trainer_core.run.mounts."""


@dataclass(frozen=True)
class Machine:
    """Who the other side is; all are opaque, and empty if unknown."""

    boot_id: str = ""
    host: str = ""
    pid_ns: str = ""
    disk: str = ""
    folder: str = ""
    """Where the run lies there, every link followed."""

    @classmethod
    def from_answer(cls, data: bytes) -> "Machine":
        """Return what the answer to `who` tells."""
        told = _fields(data.decode("utf-8", "surrogateescape"))
        names = ("boot", "host", "namespace", "disk", "folder")
        return cls(*(told.get(name, "")[:4096] for name in names))

    def has(self, process: ProcessIdentity) -> bool:
        """Tell whether the process would be visible there: same boot, host and container."""
        if process.boot_id != self.boot_id or process.host != self.host:
            return False
        return not process.pid_ns or not self.pid_ns or process.pid_ns == self.pid_ns


@dataclass(frozen=True)
class Sight:
    """One look at a run. Times are of the clock there, in seconds since the epoch; None if not known."""

    now: float | None = None
    held: str = "unknown"
    """Whether the lock is held: "held", "free", or "unknown"."""
    holder: ProcessIdentity | None = None
    process: str = ""
    """/proc/PID/stat of the holder asked about, or its start; empty if there is none, "?" if that is not known."""
    made: float | None = None
    """When run.toml was written."""
    events_size: int | None = None
    events_time: float | None = None
    first_line: str = ""
    """Checksum of the events' first line; of another file it is another."""
    events: bytes = field(default=b"", repr=False)

    @classmethod
    def from_answer(cls, data: bytes) -> "Sight":
        """Return what the answer to `look` tells. Raises UserError(FAILED) if it is none."""
        head, gap, events = data.partition(b"\n\n")
        told = _fields(head.decode("utf-8", "surrogateescape"))
        if not gap or "held" not in told:
            raise UserError("the other side answers in no way that is known", ExitCode.FAILED)
        size, _, changed = told.get("events", "").partition("_")
        return cls(
            now=_number(told.get("now", "")),
            held=told["held"],
            holder=ProcessIdentity.from_json(told.get("lock", "")),
            process=told.get("process", ""),
            made=_number(told.get("made", "").partition("_")[2]),
            events_size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None,
            events_time=_number(changed),
            first_line=told.get("first", ""),
            events=events,
        )

    @property
    def silence(self) -> float:
        """Seconds since the events were last written, by the clock there; 0 if that is not known."""
        return _since(self.now, self.events_time)

    @property
    def age(self) -> float:
        """Seconds since the run was made, by the clock there."""
        return _since(self.now, self.made)

    def standing(self, machine: Machine) -> Standing:
        """Return how the lock stands, by the rules of `trainer_core.run.flock` for whoever looks from there."""
        if self.holder is None:
            return Standing.STARTING if self.held == "held" else Standing.FREE
        if machine.has(self.holder):
            if self.held == "free":
                return Standing.FREE
            if self.process.strip() == "?":
                return Standing.HERE if self.held == "held" else Standing.ELSEWHERE
            if self._runs():
                return Standing.HERE
            return Standing.REMAINS if self.held == "held" else Standing.FREE
        shares_kernel = bool(self.holder.boot_id) and self.holder.boot_id == machine.boot_id
        if self.held == "free" and (shares_kernel or machine.disk in _TELLS_ALL):
            return Standing.FREE
        return Standing.ELSEWHERE

    def is_suspended(self, machine: Machine) -> bool:
        """Tell whether the trainer is stopped by SIGSTOP or its like."""
        return self.standing(machine) is Standing.HERE and self._stat()[:1] == ["T"]

    def _runs(self) -> bool:
        """Tell whether the process that the holder's number belongs to is the holder."""
        if self.holder is None or not self.process.strip():
            return False
        stat = self._stat()
        start = stat[19] if len(stat) > 19 else self.process.strip()
        return not self.holder.start or start == self.holder.start

    def _stat(self) -> list[str]:
        """Return /proc/PID/stat from field 3 on (see proc(5)); nothing if `ps` answered."""
        return self.process.rpartition(")")[2].split() if ")" in self.process else []


def _fields(text: str) -> dict[str, str]:
    """Return the first of each `name value` line."""
    told: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(" ")
        told.setdefault(name, value)
    return told


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _since(now: float | None, then: float | None) -> float:
    return max(0.0, now - then) if now is not None and then is not None else 0.0
