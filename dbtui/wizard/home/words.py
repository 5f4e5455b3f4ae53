"""The fixed words of home."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_core.text import safe_text

if TYPE_CHECKING:
    from dbtui.wizard.home.rows import RunRow

HELP = """\
# Home

Your runs, live and past, the newest first. A training goes on when you leave, close the terminal, or lose the
connection: come back and press Enter on it.

- **Enter** opens a run: its monitor while it trains, its result when it is over.
- **n** begins a new run: eight short questions. **f** begins one with all the answers of the run you are on.
- **r** goes on with a stopped run exactly where it was. What has changed since is told first.
- **d** deletes a run with its previews, checkpoints and models. It asks first, and leaves a live run alone.
- **/** finds a run by a part of its name, or by how it stands.

| sign | the run |
|---|---|
| ● | trains |
| ‖ | is paused |
| ! | gave no news for long |
| ✓ | is done |
| ■ | was stopped, and can be resumed |
| ✗ | failed, or its trainer is gone without a word |
| ↓ | was fetched while it was training elsewhere |
| · | has not been started |

**ctrl+q** quits from anywhere, **ctrl+z** goes to the shell for a while (`fg` comes back). In a field **ctrl+c**
copies, as everywhere else.
"""

EMPTY = """\
[b]Teach a model your own subject, from a few photos.[/b]

 [b]t[/b]  Try it first   a small model learns one frog with a hat: two minutes,
                 on any computer; nothing is downloaded
 [b]n[/b]  New run        a folder of pictures in, a trained model out: eight short
                 questions, most of them answered already
 [b]h[/b]  Doctor         is this machine ready to train?

 [dim]F1 tells more, here and on every screen.[/dim]
"""
"""Of our own words only, so it may hold markup."""

_PLACES = (
    ("new_run", "n", "new run"),
    ("demo", "t", "try it first"),
    ("visit('presets')", "p", "presets"),
    ("visit('models')", "m", "models"),
    ("visit('generate')", "g", "generate"),
    ("visit('doctor')", "h", "doctor"),
)
_LONG_PATH = 30
PLACES = "   ".join(f"[@click=screen.{action}][b]{key}[/b] {words}[/]" for action, key, words in _PLACES)


def drafts_line(words: Sequence[str]) -> str:
    """Offer to go on with what was not started yet; `words` tell each such draft and are safe."""
    if not words:
        return ""
    more = f", {len(words) - 1} more" if len(words) > 1 else ""
    return f"c  continue what you began{more}: {words[0]}"


def slow_line(runs_dir: Path) -> str:
    """Say that nothing is heard of the folder of runs."""
    return f"Runs    {_short(runs_dir)} does not answer: its disk is slow, or gone"


def _short(folder: Path) -> str:
    """Name a folder in few words."""
    whole = safe_text(folder, 300)
    return f"{whole}/" if len(whole) <= _LONG_PATH else f"…/{safe_text(folder.name, _LONG_PATH)}/"


def runs_line(rows: "Sequence[RunRow]", shown: int, searched: str, runs_dir: Path) -> str:
    """Return the headline of the list: how many runs, how many of them live, where."""
    if searched:
        return f"{shown} of {len(rows)} runs:"
    live = sum(row.lives for row in rows)
    count = f"{len(rows)} run{'s' * (len(rows) != 1)}" + (f", {live} live" if live else "")
    return f"Runs    {count} in {_short(runs_dir)}" if rows else "Runs    none yet"
