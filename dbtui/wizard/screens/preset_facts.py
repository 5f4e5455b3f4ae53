"""The presets of the library as a list shows them, and the run that begins with one."""

from dataclasses import dataclass

from dbtui.presets.inspect import Inspected, inspect
from dbtui.presets.library import shipped, user_folder, yours
from dbtui.wizard.draft import Draft
from trainer_core.config.writer import dump_config
from trainer_core.errors import UserError
from trainer_core.text import safe_text

_ORIGINS = {"shipped": "comes with dbtui", "yours": "yours", "file": "a file"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One preset. All texts but `toml` are safe to show.

    Attributes:
        shown_name, card, title: what a list shows of it.
        about: what it says of itself.
        toml: the file as it was written; "" if it cannot be read.
        problems: why it cannot be used.
    """

    inspected: Inspected
    shown_name: str
    card: str
    title: str
    about: str
    toml: str
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """By which it is found."""
        return self.inspected.preset.name

    def resolved(self) -> str:
        """Return every setting with its value, what it extends included."""
        return dump_config(self.inspected.config) if self.inspected.config else ""


def all_presets() -> tuple[list[Shown], list[str]]:
    """Return the presets that come with dbtui and the person's own, and what is to be said of the folder."""
    own, remarks = yours()
    return [_shown(inspect(preset)) for preset in (*shipped(), *own)], remarks


def own_folder() -> str:
    """Return where the person's own presets go, safe to show."""
    return safe_text(user_folder())


def draft_with(shown: Shown) -> Draft:
    """Return the answers of a new run that begins with a preset: those that it gives stand in the first step."""
    draft = Draft(preset=shown.name)
    config = shown.inspected.config
    assert config is not None
    draft.set("method.train", config.method.train)
    if config.method.captions == "finetune":
        draft.goal = "dataset"
        draft.set("method.captions", "finetune")
    return draft


def _shown(inspected: Inspected) -> Shown:
    about = inspected.config.preset if inspected.config else None
    count = len(inspected.problems)
    title = safe_text(about.title, 120) if about else f"cannot be used: {count} problem{'s' * (count != 1)}"
    try:
        toml = inspected.preset.text()
    except UserError:  # it is among the problems
        toml = ""
    return Shown(
        inspected=inspected,
        shown_name=safe_text(inspected.preset.name, 64),
        card=f"{about.min_vram_gb:g} GB" if about and about.min_vram_gb else "",
        title=title,
        about=_about(inspected),
        toml=toml,
        problems=tuple(safe_text(problem, 600) for problem in inspected.problems),
    )


def _about(inspected: Inspected) -> str:
    about, origin = inspected.config.preset if inspected.config else None, _ORIGINS[inspected.preset.origin]
    if about is None:
        return origin
    facts = [f"measured: {inspected.measured}", origin, f"by {safe_text(about.author)}" if about.author else ""]
    facts.append(safe_text(about.license))
    return "\n".join(filter(None, (safe_text(about.description, 2000), " · ".join(filter(None, facts)))))
