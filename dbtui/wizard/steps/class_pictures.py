"""Step: the pictures that keep the class from becoming the subject, and how they balance with it."""

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Label, Static
from textual.worker import Worker, WorkerState

from dbtui.forms.form import Form, State
from dbtui.forms.typed import problem_with
from dbtui.forms.widgets.edited import Edited
from dbtui.forms.widgets.line import Line
from dbtui.forms.widgets.path_line import PathLine
from dbtui.forms.widgets.text_line import TextLine
from dbtui.wizard.answers import captions_method
from dbtui.wizard.class_pictures.choice import From, OneClass, choose, chosen, classes, share_folder, usual
from dbtui.wizard.class_pictures.weigh import Weighed, balancing, renames, set_repeats, weigh
from dbtui.wizard.class_pictures.words import NOT_ASKED, balance_hint, offered, placeholder, why
from dbtui.wizard.draft import Draft
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.pictures.chosen import is_laid_out
from dbtui.wizard.pictures.found import Progress
from dbtui.wizard.step_screen import StepScreen, id_of
from dbtui.wizard.steps.class_pictures_help import HELP
from dbtui.wizard.training.draft_form import form_of
from dbtui.wizard.widgets.balance_bars import BalanceBars
from dbtui.wizard.widgets.choices import Choice, Choices
from dbtui.wizard.widgets.plain_input import PlainInput
from trainer_core.config.words import Path, shown_key
from trainer_core.errors import UserError
from trainer_core.text import safe_text

_PAUSE = 0.4
"""Seconds after the last letter until the folders are read."""
_TELL_EVERY = 0.5
_NUMBERS = {"num_class_images": "how many", "infer_steps": "steps", "guidance_scale": "scale"}


class ClassPicturesScreen(StepScreen):
    """Three choices, the answers that the chosen one needs, and the balance of what is found."""

    NAME = "class_pictures"
    HELP = HELP
    CSS_PATH = "class_pictures.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b,f8", "balance", "balance", id="class_pictures.balance", tooltip="Set the repeats that balance"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.weighed: Weighed | None = None
        self.trouble = ""
        self._form: Form | None = None
        self._keys: set[str] = set()
        self._paths: set[Path] = set()
        self._progress = Progress()
        self._timer: Timer | None = None

    def body(self) -> ComposeResult:
        """Ask for the choice and what it needs, and show the balance; or say why nothing is asked."""
        if not self._is_asked:
            yield Label("Class pictures", classes="question -first")
            yield Static(NOT_ASKED, markup=False)
            return
        if chosen(self.draft) is None:
            choose(self.draft, usual(self.draft))
        yield Label("Where do pictures of the class come from?", classes="question -first")
        yield Choices(self._offered(), chosen=self._choice, id="from")
        with Vertical(id="folder"):
            yield from self._folders()
        with Vertical(id="generate"):
            yield from self._drawing()
        yield BalanceBars()
        yield Static(id="hint", classes="hint", markup=False)
        yield Static(id="wrong", classes="poor", markup=False)

    def side(self) -> ComposeResult:
        """Say why there is such a thing."""
        if self._is_asked:
            yield Static(why(classes(self.draft)), markup=False)

    def on_mount(self) -> None:
        """Show what belongs to the choice, and read the folders."""
        if self._is_asked:
            self.query_one(Choices).focus()
            self._show_choice()

    def problems(self) -> list[str]:
        """Name what the chosen way still needs, and what cannot be used of it."""
        if not self._is_asked:
            return []
        wrong = self._wrong_texts()
        if self._choice == "generate" and not (wrong or self.draft.get("prior.num_class_images")):
            wrong.append("how many shall be drawn? Give a number, or choose another answer")
        if self._choice == "folder" and not self._folders_given:
            wrong.append("name the folder of class pictures, or choose another answer")
        return wrong or list(self.weighed.problems if self.weighed else ())

    def complain(self, problems: Iterable[str]) -> None:
        """Say it once: what is wrong with the class pictures is then told above the keys."""
        listed = list(problems)
        super().complain(listed)
        for wrong in self.query("#wrong"):
            wrong.display = not listed

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the balance only where there is one."""
        return self._is_asked if action == "balance" else True

    def show_key(self, key: str) -> None:
        """Put the cursor on the setting; on the choice where the setting belongs to another one."""
        for widget in self.query(f"#{id_of(key)}"):
            if widget.focusable and all(above.display for above in widget.ancestors if above is not self):
                self.set_focus(widget)
                return
        for choices in self.query(Choices):
            choices.focus()

    # What is asked.

    @property
    def form(self) -> Form:
        """The settings of this step."""
        if self._form is None:
            self._form = form_of(self.draft)
        return self._form

    @property
    def _is_asked(self) -> bool:
        return captions_method(self.draft) != "finetune"

    @property
    def _choice(self) -> From:
        return chosen(self.draft) or "none"

    @property
    def _folders_given(self) -> bool:
        if is_laid_out(self.draft):
            return bool(self.draft.get("dataset.reg_dir"))
        return any(concept.get("class_dir") for concept in self.draft.concepts)

    def _offered(self) -> list[Choice]:
        asked = ("prior", "num_class_images"), ("prior", "infer_steps"), ("dataset", "resolution")
        count, steps, size = (_value_of(self.form.state(path)) for path in asked)
        return offered(classes(self.draft), count, steps, size)

    def _folders(self) -> ComposeResult:
        groups = classes(self.draft)
        if not groups:
            yield from self._row("folder", ("dataset", "reg_dir"))
        for group in groups:
            yield from self._row(group.name or "folder", ("concept", group.concepts[0], "class_dir"))

    def _drawing(self) -> ComposeResult:
        with Horizontal(classes="row"):
            for name, label in _NUMBERS.items():
                yield Label(label, classes="label")
                yield self._line(("prior", name), "number")
        groups = classes(self.draft)
        if not groups:
            yield from self._row("prompt", ("prior", "class_prompt"))
        for group in groups:
            label = "prompt" if len(groups) == 1 else group.name
            yield from self._row(label, ("concept", group.concepts[0], "class_prompt"))
        yield from self._row("without", ("prior", "class_negative_prompt"))

    def _row(self, label: str, path: Path) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Label(Text(safe_text(label, 12)), classes="label")
            yield self._line(path, "text")

    def _line(self, path: Path, classes_: str) -> Line:
        state = self.form.state(path)
        line = PathLine(state) if state.field.path else TextLine(state)
        line.add_class(classes_)
        self._paths.add(path)
        if (key := state.field.key) not in self._keys:
            self._keys.add(key)
            line.id = id_of(key)
        self._hint_prompt(line)
        return line

    def _hint_prompt(self, line: Line) -> None:
        """Show what an empty field means."""
        line.placeholder = placeholder(line.path, self.draft.concepts) or line.placeholder

    # What is answered.

    @on(Choices.Changed, "#from")
    def _other(self, event: Choices.Changed) -> None:
        choose(self.draft, cast("From", event.value))
        self.form.changed()
        for line in self.query(Line):
            line.show_state(self.form.state(line.path), text=True)
            self._hint_prompt(line)
        self.changed()
        self._show_choice()

    @on(Edited)
    def _typed(self, event: Edited) -> None:
        self.form.enter(event.path, event.text)
        group = next((each for each in classes(self.draft) if event.path[1] in each.concepts), None)
        if group and event.path[-1] == "class_dir":
            share_folder(self.draft, group)
        if group and event.path[-1] == "class_prompt":
            self._share_prompt(group, event.text)
        for line in self.query(Line):
            line.show_state(self.form.state(line.path))
            self._hint_prompt(line)
        self.changed()
        self._show_wrong()
        self._show_later()

    def _share_prompt(self, group: OneClass, text: str) -> None:
        for number in group.concepts[1:]:
            self.form.enter(("concept", number, "class_prompt"), text)

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.complain([event.text])

    def action_balance(self) -> None:
        """Set the repeats that balance."""
        wanted = balancing(self.weighed) if self.weighed else {}
        if wanted and set_repeats(self.draft, wanted):
            self.form.changed()
            self.changed()
            self._weigh_now()

    # What is shown.

    def _show_choice(self) -> None:
        for choice in ("folder", "generate"):
            self.query_one(f"#{choice}").display = choice == self._choice
        self._weigh_now()

    def _show_later(self) -> None:
        self.weighed, self.trouble = None, ""  # what is shown is not what is answered any more
        if self._timer:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE, self._show_anew)

    async def _show_anew(self) -> None:
        await self.query_one(Choices).show(self._offered())
        self._weigh_now()

    def _weigh_now(self) -> None:
        self._progress.stop.set()
        self._progress = Progress()
        self.weighed, self.trouble = None, ""
        self._weigh(self.draft.copy(), self._progress)

    @work(exclusive=True, group="weigh", exit_on_error=False)
    async def _weigh(self, draft: Draft, progress: Progress) -> None:
        self._show_progress()
        telling = self.set_interval(_TELL_EVERY, self._show_progress)
        try:
            self.weighed = await in_thread(weigh, draft, self.wizard.options.runs_dir, progress)
        except UserError as error:
            self.trouble = safe_text(error.problems[0], 400)
        except OSError as error:
            self.trouble = f"the pictures cannot be read ({safe_text(error, 200)})"
        finally:
            telling.stop()
        self._show_balance()

    @on(Worker.StateChanged)
    def _fail(self, event: Worker.StateChanged) -> None:
        """Whatever breaks in reading is told."""
        if event.state is WorkerState.ERROR and event.worker.group == "weigh":
            self.trouble = f"the pictures could not be read: {safe_text(event.worker.error, 300)}"
            self._show_balance()

    def _show_progress(self) -> None:
        done, total = self._progress.done, self._progress.total
        counts = f" {done:,} of {total:,}" if total else ""
        self.query_one("#hint", Static).update(f"reading the pictures …{counts}")

    def _show_balance(self) -> None:
        weighed = self.weighed
        self.query_one(BalanceBars).show(weighed)
        hint = balance_hint(weighed, renames(weighed, self.draft)) if weighed else self.trouble
        if weighed and not weighed.balances:
            hint = "The balance is shown once the pictures are chosen (step 4)."
        self.query_one("#hint", Static).update(Text(hint))
        self._show_wrong()

    def _show_wrong(self) -> None:
        found = self.weighed.problems[:2] if self.weighed and self._choice != "none" else ()
        lines = [f"! {text}" for text in (*self._wrong_texts(), *found)]
        self.query_one("#wrong", Static).update(Text("\n".join(lines)))

    def _wrong_texts(self) -> list[str]:
        """What was typed and is no value."""
        invalid = self.form.invalid() if self._choice == "generate" else ()
        return [f"{shown_key(path)} {safe_text(text, 300)}" for path, text in invalid if path in self._paths]

    def on_unmount(self) -> None:
        """Stop reading."""
        self._progress.stop.set()


def _value_of(state: State) -> Any:
    """Return what holds; an answer that is no value, as a draft's file may have it, is told elsewhere."""
    return state.below if state.problem or problem_with(state.path, state.value) else state.value
