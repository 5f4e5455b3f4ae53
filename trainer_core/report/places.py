"""Takes the places of one machine out of texts, so that a report can be given to others."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainer_core.run.directory import RunDirectory
from trainer_core.run.redact import redact

_ABSOLUTE = re.compile(r"""(?<![\w.:/~<])~?(?:/[^\s/"'`<>|,;:()\[\]{}]+)+/?|(?<!\w)[A-Za-z]:\\[^\s"'<>|,;]+""")
_FEWEST_PARTS = 3
"""Of a folder above a known one that is taken out wherever it occurs, the root among them."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places that are known: each text and what stands for it, the longest first. Secrets go as well."""

    known: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, run: RunDirectory, more: Iterable[str] = ()) -> "Places":
        """Know the run's own folder, the paths in `more`, and the folders above them."""
        known: dict[str, str] = {}
        absolute = [Path(path) for path in more if Path(path).is_absolute()]
        for path in (run.path, *absolute):
            known |= {f"{above}/": "" for above in path.parents if len(above.parts) >= _FEWEST_PARTS}
        for path in absolute:
            known |= {f"{path}/": f"{path.name}/", str(path): path.name}
        known |= {f"{run.path}/": "", str(run.path): run.name}
        return cls(tuple(sorted(known.items(), key=lambda item: -len(item[0]))))

    def inside(self, text: str) -> str:
        """Return content of the run (a caption, a prompt) without places that are known and without secrets."""
        for place, name in self.known:
            text = text.replace(place, name)
        return redact(text)

    def outside(self, text: str) -> str:
        """Return a message without anything that looks like an absolute path: its last part stays."""
        return _ABSOLUTE.sub(_last_part, self.inside(text))

    def name_of(self, path: str, run: RunDirectory) -> str:
        """Return what to call a file: relative to the run where it lies in it, else its name."""
        try:
            return self.inside(str(Path(path).relative_to(run.path)))
        except ValueError:
            return self.inside(Path(path).name if Path(path).is_absolute() else path)


def _last_part(found: re.Match[str]) -> str:
    parts = [part for part in re.split(r"[/\\]", found[0]) if part and part != "~"]
    return f"…/{parts[-1]}" if parts else "…"
