"""Collects everything that is wrong with one configuration, so that it is told at once."""

from trainer_core.config.words import Path
from trainer_core.errors import ExitCode, UserError

MOST_SHOWN = 50


class Problems:
    """The problems of one configuration, in the order found.

    Attributes:
        bad: dotted keys whose value cannot be relied on, so that no second problem is derived from them.
    """

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self._lines: list[str] = []
        self._count = 0

    def add(self, source: str, text: str) -> None:
        """Note one problem of the file `source`; both are safe to show."""
        self._count += 1
        if self._count <= MOST_SHOWN:
            self._lines.append(f"{source}: {text}")

    def add_value(self, source: str, path: Path, text: str) -> None:
        """Note that the value at `path` cannot be used."""
        self.bad.add(dotted(path))
        self.add(source, text)

    def extend(self, lines: list[str]) -> None:
        """Note problems that already name their file."""
        self._count += len(lines)
        self._lines += lines

    @property
    def full(self) -> bool:
        """Whether further problems are only counted: nobody reads them, so they need no careful wording."""
        return self._count >= MOST_SHOWN

    def __bool__(self) -> bool:
        return self._count > 0

    def error(self) -> UserError:
        """Return all of them as one error."""
        rest = self._count - len(self._lines)
        more = [f"... and {rest} more problems"] if rest > 0 else []
        return UserError(self._lines + more, ExitCode.CONFIG)


def dotted(path: Path) -> str:
    """Return the key of the setting at `path`, without the places in lists of tables."""
    return ".".join(part for part in path if isinstance(part, str))
