"""Step: the graphics card, and the preset that is made for it."""

import asyncio
import shutil
import threading
from pathlib import Path
from typing import ClassVar, cast, get_args

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Label, Static
from textual.worker import Worker, WorkerState

from dbtui.doctor.graphics import Gpus, find_gpus
from dbtui.presets.offer import Offer, best, offers
from dbtui.wizard.draft import Draft
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.step_screen import StepScreen
from dbtui.wizard.steps.hardware_answers import choose_preset, kept_answers, settled_precision
from dbtui.wizard.steps.hardware_needs import needs_answered
from dbtui.wizard.steps.hardware_words import (
    Machine,
    machine_lines,
    precision_words,
    reason,
    unknown_family,
)
from dbtui.wizard.widgets.preset_columns import PresetColumns
from trainer_core.disk import existing_folder
from trainer_core.errors import UserError
from trainer_core.models.family import family_named
from trainer_core.models.sniff import FamilyName, sniff
from trainer_core.text import safe_text

_PATIENCE = 5.0
"""Seconds for which a slow disk is waited for: nothing that it tells keeps from choosing."""

_HELP = """
# Hardware and preset

A **preset** is a complete set of settings for a family of models and a size of graphics card. Your answers
lie over it; every setting can still be changed in the next step.

- **predicted** is the most memory that a preset needs with your answers, what the driver takes included; no card
  measured it. **fits here** compares it with what is free on this machine's card. Of those that fit and leave a
  twentieth free, the one that gives up least is taken.
- **gives up** says in what a preset has less than the best of those shown. *Precision*: weights in 16 bits learn
  more coarsely. *Batch*: fewer pictures a step make learning less smooth. *Speed*: computing twice saves memory.
- **measured** is what finished runs reported; *unverified* means that nobody has reported one yet.

No card here? Choose the preset for the machine that will train. The last step writes a file to take there.
"""


class HardwareScreen(StepScreen):
    """Shows what this machine has and the presets side by side; the best that fits is taken."""

    NAME = "hardware"
    HELP = _HELP
    CSS_PATH: ClassVar[str] = "hardware.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[Offer] = []
        self.machine: Machine | None = None

    def body(self) -> ComposeResult:
        """Yield the machine, the presets and the reason."""
        yield Label("This machine", classes="question -first")
        yield Static("looking …", id="machine", markup=False)
        yield PresetColumns()
        yield Static(id="reason", markup=False)
        yield Static(id="remarks", classes="usable", markup=False)

    def side(self) -> ComposeResult:
        """Yield what the preset says of itself."""
        yield Static(id="about", markup=False)

    def on_mount(self) -> None:
        """Look at the presets and at the machine."""
        self.query_one(PresetColumns).focus()
        self._look(self.draft.copy())

    def show_key(self, key: str) -> None:
        """Every setting that is asked here is the preset's."""
        self.query_one(PresetColumns).focus()

    def problems(self) -> list[str]:
        """Wait for the card's answer: it may change how the preset is used."""
        if self.machine is None:
            return ["the graphics card has not answered yet; it takes a few seconds at most"]
        if not self.offered:
            return ["there is no preset for this model and method; choose another model (f2)"]
        return []

    @work(exclusive=True, group="hardware", exit_on_error=False)
    async def _look(self, draft: Draft) -> None:
        try:
            family = await asyncio.wait_for(in_thread(family_of, draft), _PATIENCE)
        except TimeoutError:
            family = None
        offered, broken = await in_thread(offers, family, "lora" if draft.is_lora else "full")
        offered = await in_thread(needs_answered, offered, draft, family)
        self._show_offers(offered, family, broken)
        left = threading.Event()
        try:
            gpus = await in_thread(find_gpus, left.is_set)
        finally:
            left.set()
        try:
            free = await asyncio.wait_for(in_thread(free_disk, self.wizard.options.runs_dir), _PATIENCE)
        except TimeoutError:
            free = None
        self._show_machine(Machine(gpus, free))

    def _show_offers(self, offered: list[Offer], family: str | None, broken: int) -> None:
        self.offered = offered
        remarks = []
        if family is None and (several := _families(offered)):
            remarks.append(unknown_family(several, has_model=bool(self.draft.get("model.base"))))
        if broken:
            remarks.append(f"{broken} of your own presets cannot be used; the list of presets, at home, says why")
        self.query_one("#remarks", Static).update(Text("\n".join(remarks)))
        self._show()

    def _show_machine(self, machine: Machine) -> None:
        self.machine = machine
        self.query_one("#machine", Static).update(Text("\n".join(machine_lines(machine))))
        suggested = best(self.offered, machine.gpus.used)
        chosen = next((offer for offer in self.offered if offer.name == self.draft.preset), suggested)
        if chosen:
            self._take(chosen)
        self.complain(())

    @on(Worker.StateChanged)
    def _fail(self, event: Worker.StateChanged) -> None:
        """Whatever breaks in looking at the machine must not keep from choosing."""
        if event.state is WorkerState.ERROR:
            self._show_machine(Machine(Gpus(failure=safe_text(event.worker.error)), None))

    @on(PresetColumns.Changed)
    def _other(self, event: PresetColumns.Changed) -> None:
        self._take(event.offer)

    def _take(self, offer: Offer) -> None:
        choose_preset(self.draft, offer, self.machine.gpus.used if self.machine else None)
        self.changed()
        self._show()

    def _show(self) -> None:
        gpus = self.machine.gpus if self.machine else Gpus()
        columns = self.query_one(PresetColumns)
        columns.show(self.offered, self.draft.preset, gpus.used)
        chosen = columns.chosen
        if self.machine is None or chosen is None:
            return
        words = [reason(chosen, self.offered, gpus)]
        precision = settled_precision(self.draft, chosen)
        words.append(precision_words(chosen.config.memory.mixed_precision, precision, gpus.used))
        if kept := kept_answers(self.draft, self.offered):
            words.append(f"Your own answers stay, whichever you choose: {', '.join(kept)}")
        self.query_one("#reason", Static).update(Text("\n".join(filter(None, words))))
        for about in self.query("#about").results(Static):
            about.update(_about(chosen))


def family_of(draft: Draft) -> FamilyName | None:
    """Return the family of the draft's model: what the person said, else what the file says; None if unknown."""
    said, base = draft.get("model.family"), draft.get("model.base")
    if known := next((name for name in get_args(FamilyName) if name == said), None):
        return cast(FamilyName, known)
    try:
        return sniff(base).family if isinstance(base, str) else None
    except (UserError, OSError, ValueError):  # the step of the model tells what is wrong with it
        return None


def free_disk(folder: Path) -> int | None:
    """Return the free bytes where a folder lies or will lie; None if that cannot be told."""
    try:
        return shutil.disk_usage(existing_folder(folder)).free
    except OSError:
        return None


def _families(offered: list[Offer]) -> list[str]:
    names = dict.fromkeys(offer.config.model.family for offer in offered if offer.config.model.family != "auto")
    return [family_named(name).title for name in names] if len(names) > 1 else []


def _about(offer: Offer) -> Text:
    text = Text(offer.title or offer.name, style="bold")
    text.append(f"\n\n{offer.description}\n\n", style="not bold")
    return text.append(f"{offer.name} · {'yours' if offer.is_own else 'comes with dbtui'}", style="not bold dim")
