"""TOML as text to show: headings and comments set apart, every line safe."""

from rich.text import Text

from trainer_core.text import safe_text

_LONGEST_LINE = 1000


def toml_text(toml: str) -> Text:
    """Return the file's lines as they are, without what a terminal could act on."""
    text = Text(no_wrap=False)
    for number, line in enumerate(toml.splitlines()):
        text.append("\n" if number else "")
        text.append(safe_text(line, _LONGEST_LINE), style=_style_of(line.lstrip()))
    return text


def _style_of(line: str) -> str:
    return "dim italic" if line.startswith("#") else "bold" if line.startswith("[") else ""
