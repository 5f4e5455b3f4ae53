"""What was found out about the subjects, as text for the screen."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from dbtui.wizard.draft import Tables
from dbtui.wizard.subjects.folders import FolderSubject, Layout
from dbtui.wizard.subjects.look import Look, sentences
from dbtui.wizard.subjects.verdicts import text_of
from dbtui.wizard.subjects.written import word_of
from trainer_core.text import safe_text

MOST_SUBJECTS = 4
LABEL_WIDTH = 26
_LONGEST = 200


def subject_lines(seen: Look, removed: Tables | None) -> str:
    """List the subjects where there are several, the present one marked; nothing where there is one."""
    lines = []
    if len(seen.subjects) > 1:
        lines.append(f"{len(seen.subjects)} subjects: pageup and pagedown walk through them, f8 takes one out")
        first = max(0, min(seen.place - 1, len(seen.subjects) - MOST_SUBJECTS))
        shown = list(enumerate(seen.subjects))[first : first + MOST_SUBJECTS]
        for number, (prompt, said) in shown:
            name = safe_text(prompt, 50) or "(no name yet)"
            mark = "▸" if number == seen.place else " "
            lines.append(f"{mark} {number + 1}  {name}  {said.sign} {said.verdict}".rstrip())
        if len(shown) < len(seen.subjects):
            lines.append(f"  and {len(seen.subjects) - len(shown)} more")
    if removed is not None:
        lines.append(f"Taken out: {_named(removed)}. f9 brings it back")
    return "\n".join(lines)


def rare_line(words: Sequence[str], typed: str, *, said: str) -> str:
    """List the rare words that a key puts in, the one that was taken marked."""
    marked = " ".join(f"▸{word}" if word == said else word for word in words)
    own = f"  or yours: {safe_text(typed, 12)}" if typed else ""
    return f"ctrl+r: {marked}{own}"


def sentence_table(pairs: Sequence[tuple[str, str]]) -> Table:
    """Put the sentences into two columns, their words under the answers."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=LABEL_WIDTH)
    table.add_column()
    for beginning, words in pairs:
        table.add_row(Text(beginning), Text(safe_text(words, _LONGEST), style="bold"))
    return table


def folder_lines(layout: Layout) -> Text:
    """Show what each folder's name says."""
    lines = [_folder(subject) for subject in layout.subjects]
    if layout.problems:
        lines += [Text("\n".join(f"! {problem}" for problem in layout.problems))]
    elif layout.subjects:
        lines += [Text("To call them otherwise press f4, or rename the folders and come back.", style="dim")]
    return Text("\n\n").join(lines)


def _folder(subject: FolderSubject) -> Text:
    concept = subject.concept
    names = {"identifier": word_of(text_of(concept, "identifier")), "class": text_of(concept, "class")}
    words = [f"{name} {safe_text(text, 40) or 'none'}" for name, text in names.items()]
    text = Text(safe_text(subject.folder, 60), style="bold")
    text.append(f"\n  {', '.join(words)}; each picture counts {concept['repeats']} times", style="not bold")
    for beginning, said in sentences(subject.learned):
        text.append(f"\n  {beginning:<{LABEL_WIDTH - 2}}{safe_text(said, _LONGEST)}", style="not bold")
    return text


def _named(concept: Tables) -> str:
    words = " ".join(filter(None, (text_of(concept, "identifier"), text_of(concept, "class"))))
    return safe_text(words or text_of(concept, "instance_prompt") or "a subject without a name", 40)
