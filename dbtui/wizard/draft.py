"""What a person has answered so far: plain data, which screens read and write and nothing else remembers."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Goal = Literal["thing", "character", "style", "dataset"]
GOALS: tuple[Goal, ...] = get_args(Goal)
Tables = dict[str, Any]


@dataclass(slots=True)
class Draft:
    """The answers of one new run.

    Attributes:
        goal: what is to be learned.
        preset: name of the preset that the answers lie over; "" until one is chosen.
        name: of the run to be; "" for the next free number.
        tables: the answers, as the tables of a run file: what is in here stands in the file.
        aside: answers that a screen keeps for a choice that is not taken just now, by a name of its own.
        step: name of the step where the person is.
        origin: where the answers came from, if from an earlier run or file; for people.
    """

    goal: Goal = "thing"
    preset: str = ""
    name: str = ""
    tables: Tables = field(default_factory=dict)
    aside: dict[str, Any] = field(default_factory=dict)
    step: str = "goal"
    origin: str = ""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the answer for a setting outside lists of tables ("train.max_steps"), else `default`."""
        inner: Any = self.tables
        for part in key.split("."):
            if not isinstance(inner, dict) or part not in inner:
                return default
            inner = inner[part]
        return inner

    def set(self, key: str, value: Any) -> None:
        """Answer a setting; None and "" take the answer back, so that the preset's value holds."""
        *above, name = key.split(".")
        inner = self.tables
        for part in above:
            inner = inner.setdefault(part, {})
        if value is None or value == "":
            inner.pop(name, None)
        else:
            inner[name] = value

    @property
    def concepts(self) -> list[Tables]:
        """The `[[concept]]` tables: identifier, class, instance_dir, class_dir, repeats, instance_prompt, ..."""
        listed = self.tables.setdefault("concept", [])
        assert isinstance(listed, list)
        return listed

    def concept(self, number: int = 0) -> Tables:
        """Return the concept of that number, made if it is the next one."""
        if number == len(self.concepts):
            self.concepts.append({})
        return self.concepts[number]

    @property
    def is_lora(self) -> bool:
        """Whether a LoRA is trained, and not the whole model."""
        return bool(self.get("method.train", "full") == "lora")

    @property
    def is_begun(self) -> bool:
        """Whether there is anything that it would be a pity to lose."""
        return bool(self.tables or self.name)

    def copy(self) -> "Draft":
        """Return a copy that shares nothing with it: what a worker may read while the screens go on."""
        return deepcopy(self)
