"""Step 3: what it shall be called and what kind of thing it is, judged while it is typed."""

from typing import ClassVar

from rich.console import RenderableType
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Static

from dbtui.wizard.answers import captions_method
from dbtui.wizard.in_thread import in_thread
from dbtui.wizard.step_screen import StepScreen, id_of
from dbtui.wizard.steps.subject_help import BESIDE, CAPTIONS_ALONE, HELP, QUESTIONS
from dbtui.wizard.subjects import several
from dbtui.wizard.subjects.folders import Layout, has_layout_aside, name_by_folders, name_by_hand, read_layout
from dbtui.wizard.subjects.look import Look, look
from dbtui.wizard.subjects.problems import subject_problems
from dbtui.wizard.subjects.show import folder_lines, rare_line, sentence_table, subject_lines
from dbtui.wizard.subjects.verdicts import Said, load_vocabulary, text_of
from dbtui.wizard.widgets.plain_input import PlainInput
from dbtui.wizard.widgets.told import Told
from trainer_core.errors import UserError
from trainer_core.text import is_plain, safe_text

_LONGEST = {"identifier": 100, "class": 200, "instance_prompt": 1000}


class SubjectScreen(StepScreen):
    """Asks for identifier, class and perhaps a prompt of each subject, and shows what is trained with them.

    Nothing is asked where captions alone are trained, or where the names of folders say it all.
    """

    NAME = "subject"
    HELP = HELP
    CSS_PATH = "subject.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "rare", "rare word", id="subject.rare", tooltip="Put the next rare word in"),
        Binding("ctrl+n", "add", "another", id="subject.add", tooltip="Add a subject to this training"),
        *(
            Binding(key, action, name, id=f"subject.{name}".replace(" ", "_"), show=False, tooltip=tooltip)
            for key, action, name, tooltip in (
                ("f8", "remove", "take out", "Take this subject out; f9 undoes it"),
                ("f9", "undo", "bring back", "Bring back the subject that was taken out last"),
                ("pageup", "walk(-1)", "subject before", "Go to the subject before"),
                ("pagedown", "walk(1)", "next subject", "Go to the next subject"),
            )
        ),
        Binding("f4", "by_hand", "name them here", id="subject.by_hand", tooltip="Give names that differ"),
        Binding("f4", "by_folders", "folder names", id="subject.by_folders", tooltip="Use the folders' names"),
    ]

    class WordsKnown(Message):
        """CLIP's vocabulary has been read: words can be judged at once."""

    def __init__(self) -> None:
        super().__init__()
        self.captions = "dreambooth"
        self.layout_read: Layout | None = None
        self.typed = ""
        self._knows_words = False

    @property
    def asks(self) -> bool:
        """Whether names are asked for here."""
        return self.captions != "finetune" and not self.draft.get("dataset.train_dir")

    def body(self) -> ComposeResult:
        """Yield the questions, or what answers them already."""
        self.captions = self._method()
        if self.captions == "finetune":
            yield Static(CAPTIONS_ALONE, markup=False)
        elif self.asks:
            yield from self._questions()
        else:
            yield Label("The names of the folders say what is learned", classes="question -first")
            yield Static("reading the folders …", id="folders", markup=False)

    def side(self) -> ComposeResult:
        """Yield what makes a good word."""
        if self.captions != "finetune":
            yield Static(BESIDE, markup=False)

    def _questions(self) -> ComposeResult:
        yield Told(id="subjects")
        for name, question in QUESTIONS[self.draft.goal].items():
            with Horizontal(classes="answer"):
                yield Label(question, classes="question")
                with Vertical():
                    yield PlainInput(
                        id=id_of(f"concept.{name}"), name=name, max_length=_LONGEST[name], select_on_focus=False
                    )
                    yield Told(id=f"on-{name}", classes="verdict")
                    if name == "identifier":
                        yield Told(id="split", classes="hint")
                        yield Told(id="rare", classes="hint")
        yield Told(id="sentences")
        yield Told(id="note", classes="hint")

    def on_mount(self) -> None:
        """Fill in what was answered; what takes a moment comes when it is ready."""
        super().on_mount()
        if self.asks:
            self._fill()
            self._learn_words()
        elif self.captions != "finetune":
            self._read_folders()

    def _method(self) -> str:
        try:
            return captions_method(self.draft)
        except UserError:  # the preset is gone: told where presets are chosen
            return "dreambooth"

    # Names that are asked for.

    def _fill(self) -> None:
        """Put the answers about the present subject into the fields."""
        concept = several.concepts_of(self.draft)[several.place_of(self.draft)]
        with self.prevent(Input.Changed):
            for field in self.query(PlainInput):
                value = text_of(concept, field.name or "")
                field.value = value if is_plain(value) else ""
                field.cursor_position = len(field.value)
        self.typed = ""
        self.refresh_bindings()
        self._show()

    @work(thread=True, exclusive=True, group="words", exit_on_error=False)
    def _learn_words(self) -> None:
        load_vocabulary()
        self.post_message(self.WordsKnown())

    @on(WordsKnown)
    def _words_known(self) -> None:
        self._knows_words = True
        self._show()

    @on(Input.Changed)
    def _answered(self, event: Input.Changed) -> None:
        event.stop()
        if several.answer(self.draft, event.input.name or "", event.value):
            self.typed = ""
            self.changed()
            self._show()

    @on(PlainInput.Refused)
    def _refused(self, event: PlainInput.Refused) -> None:
        self.complain([event.text])

    def _show(self) -> None:
        """Show what is to be said of the answers, as soon as the words are known."""
        if self._knows_words and self.is_attached:
            self._show_look(look(self.draft, self.captions))

    def _show_look(self, seen: Look) -> None:
        said = {"identifier": seen.identifier, "class": seen.class_name, "instance_prompt": seen.prompt}
        for name, verdict in said.items():
            self._show_verdict(self.query_one(f"#on-{name}", Told), verdict)
        prompt = self.query_one(f"#{id_of('concept.instance_prompt')}", PlainInput)
        prompt.placeholder = seen.placeholder
        self._tell("split", seen.split)
        self._tell("rare", rare_line(seen.rare, self.typed, said=self._identifier()))
        self._tell("subjects", subject_lines(seen, several.last_removed(self.draft)))
        self._tell("sentences", str(seen.sentences or ""), sentence_table(seen.sentences))
        self._tell("note", safe_text(seen.note))
        self.set_class(len(seen.subjects) > 1, "-several")

    def _tell(self, name: str, words: str, shown: RenderableType | None = None) -> None:
        self.query_one(f"#{name}", Told).tell(words, shown)

    def _show_verdict(self, widget: Told, said: Said) -> None:
        for verdict in ("good", "usable", "poor"):
            widget.set_class(said.verdict == verdict, verdict)
        widget.set_class(not said.verdict, "hint")
        widget.tell(said.line)

    def _identifier(self) -> str:
        return self.query_one(f"#{id_of('concept.identifier')}", PlainInput).value

    # Names that the folders have.

    @work(exclusive=True, group="folders", exit_on_error=False)
    async def _read_folders(self) -> None:
        train_dir, goal = str(self.draft.get("dataset.train_dir")), self.draft.goal
        self.layout_read = await in_thread(read_layout, train_dir, goal, self.captions)
        self.query_one("#folders", Static).update(folder_lines(self.layout_read))
        self.refresh_bindings()

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what would do something."""
        match action:
            case "rare" | "add" | "walk":
                return self.asks
            case "remove":
                return self.asks and len(several.concepts_of(self.draft)) > 1
            case "undo":
                return self.asks and several.last_removed(self.draft) is not None
            case "by_hand":
                return bool(not self.asks and self.layout_read and self.layout_read.subjects)
            case "by_folders":
                return self.asks and has_layout_aside(self.draft)
        return True

    def action_rare(self) -> None:
        """Put the next rare word into the identifier; what was typed comes again after the last of them."""
        if not self._knows_words:
            return
        field = self.query_one(f"#{id_of('concept.identifier')}", PlainInput)
        words = look(self.draft, self.captions).rare
        own = self.typed or (field.value if field.value not in words else "")
        circle = [*words, own] if own else words
        place = circle.index(field.value) if field.value in circle else -1
        word = circle[(place + 1) % len(circle)]
        with self.prevent(Input.Changed):
            field.value = word
            field.cursor_position = len(word)
        several.answer(self.draft, "identifier", word)
        self.typed = own
        self.set_focus(field)
        self.changed()
        self._show()

    def action_add(self) -> None:
        """Ask about another subject."""
        was_added = several.add(self.draft)
        self._turned()
        if not was_added:
            self.complain(self._first_problem())

    def action_remove(self) -> None:
        """Take the present subject out."""
        several.remove(self.draft)
        self._turned()

    def action_undo(self) -> None:
        """Bring the subject back that was taken out last."""
        several.bring_back(self.draft)
        self._turned()

    def action_walk(self, by: int) -> None:
        """Look at the next subject, or the one before."""
        several.go_to(self.draft, several.place_of(self.draft) + by)
        self._turned()

    def action_by_hand(self) -> None:
        """Ask for the names instead of taking the folders'."""
        assert self.layout_read
        name_by_hand(self.draft, self.layout_read.subjects)
        self._anew()

    def action_by_folders(self) -> None:
        """Take the names of the folders again."""
        name_by_folders(self.draft)
        self._anew()

    def _turned(self) -> None:
        """Another subject is the present one."""
        self.changed()
        self._fill()
        self.set_focus(self.query(PlainInput).first())

    def _anew(self) -> None:
        self.changed()
        self.wizard.go_by(0)

    # What keeps from going on.

    def problems(self) -> list[str]:
        """Return what is missing; the first of it is gone to."""
        if not self.asks:
            return list(self.layout_read.problems) if self.layout_read else []
        found = subject_problems(several.concepts_of(self.draft), self.captions)
        if found:
            place, name, _ = found[0]
            if place != several.place_of(self.draft):
                several.go_to(self.draft, place)
                self._fill()
            self.show_key(f"concept.{name}")
        return [text for _, _, text in found]

    def _first_problem(self) -> list[str]:
        return [text for _, _, text in subject_problems(several.concepts_of(self.draft), self.captions)][:1]
