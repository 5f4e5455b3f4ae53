"""What has been told of the pictures so far: plain data, folded from events, for the command and the screen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer_core.errors import ExitCode
from trainer_core.text import safe_text


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that was written; `is_base` tells that the start model drew it."""

    path: Path
    prompt: str
    seed: int
    is_base: bool

    @property
    def words(self) -> str:
        """What it is, in a few words that are safe to show."""
        return f"{safe_text(self.path.name, 80)}  seed {self.seed}{'  start model' if self.is_base else ''}"


@dataclass(slots=True)
class Progress:
    """How far it is.

    Attributes:
        doing: what is going on, in a few words.
        done: pictures that are there, of `total`.
        step: denoising steps done of the picture under way, of `steps`.
        problems: what is wrong, once it failed.
        code: how it ended; None while it goes on.
    """

    doing: str = "starting"
    done: int = 0
    total: int = 0
    step: int = 0
    steps: int = 0
    pictures: list[Drawn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    code: ExitCode | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event. All texts are safe to show then; an event of an unknown kind says nothing."""
        match event:
            case {"kind": "phase", "text": str(text)}:
                self.doing = safe_text(text, 200)
            case {"kind": "note", "text": str(text)}:
                self.notes.append(safe_text(text, 1000))
            case {
                "kind": "progress",
                "done": int(done),
                "total": int(total),
                "step": int(step),
                "steps": int(steps),
            }:
                self.done, self.total, self.step, self.steps = done, total, step, steps
            case {"kind": "picture", "path": str(path), "prompt": str(prompt), "seed": int(seed), "of": of}:
                self.pictures.append(Drawn(Path(path), prompt, seed, of == "base"))
                self.done = len(self.pictures)
            case {"kind": "done"}:
                self.code = ExitCode.DONE
            case {"kind": "failed", "exit_code": int(code), "problems": list(problems)}:
                self.problems = [safe_text(problem, 2000) for problem in problems]
                self.code = ExitCode(code) if code in list(ExitCode) else ExitCode.FAILED

    @property
    def in_pairs(self) -> list[Drawn]:
        """The pictures, each followed by that of the start model, which is drawn later."""
        ours = [picture for picture in self.pictures if not picture.is_base]
        base = {picture.path.name: picture for picture in self.pictures if picture.is_base}
        pairs = [(each, base.get(f"{each.path.stem}-base{each.path.suffix}")) for each in ours]
        return [picture for pair in pairs for picture in pair if picture is not None]

    @property
    def share(self) -> float:
        """How much of the drawing is done, from 0 to 1."""
        return (
            min(1.0, (self.done + (self.step / self.steps if self.steps else 0)) / self.total)
            if self.total
            else 0.0
        )

    @property
    def words(self) -> str:
        """What is going on, in one line."""
        if not self.total:
            return self.doing
        at = f", step {self.step} of {self.steps}" if self.done < self.total else ""
        return f"{self.doing}: {self.done} of {self.total}{at}"
