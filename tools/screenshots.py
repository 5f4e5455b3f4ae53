"""Pictures of every screen for docs/: `python tools/screenshots.py`, or `make screenshots`.

It opens dbtui in a tmux of its own, in a folder that it makes, and goes the whole way as a person would: from a
tiny model and drawn pictures to a finished training. Each screen becomes docs/screenshots/NAME.svg. Needs tmux.
"""

import argparse
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "screenshots"
SERVER = "dbtui-screenshots"
SIZE = (120, 40)
STEPS = 24
FONT_FROM_THE_WEB = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
THEME = TerminalTheme((22, 22, 29), (220, 215, 186), [(22, 22, 29)] * 8, [(220, 215, 186)] * 8)
PATIENCE = 60.0
BETWEEN = 0.08
"""Seconds between two keys: a person is slower."""


class Terminal:
    """dbtui in a tmux that nothing of this machine's configuration reaches."""

    def __init__(self, here: Path) -> None:
        self.here = here
        environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "HOME": str(here),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "DBTUI_STATE_DIR": str(here / ".state"),
            "DBTUI_CONFIG_DIR": str(here / ".config"),
        }
        words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        self.command = shlex.join([*words, sys.executable, "-m", "dbtui"])

    def open(self, size: tuple[int, int]) -> None:
        """Open the application anew."""
        self.close()
        width, height = map(str, size)
        tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, "-c", str(self.here), self.command)

    def close(self) -> None:
        """End the application and its terminal."""
        with suppress(subprocess.CalledProcessError):
            tmux("kill-server")
        time.sleep(0.5)

    def press(self, *keys: str) -> None:
        """Press keys one after the other; what begins with a colon is typed."""
        for key in keys:
            for each in key[1:] if key.startswith(":") else [key]:
                tmux("send-keys", *(["-l", each] if key.startswith(":") else [each]))
                time.sleep(0.6 if key == "Escape" else BETWEEN)  # what comes sooner behind it makes it Alt

    def wait_for(self, words: str, without: str = "\0") -> None:
        """Wait until the screen shows these words, and not those, and then stands still."""
        deadline, last = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            text = tmux("capture-pane", "-p")
            if words in text and without not in text and text == last:
                return
            last = text
            time.sleep(0.4)
        raise SystemExit(f"waited in vain for {words!r}:\n{last}")

    def picture(self, name: str) -> None:
        """Write what is shown as docs/screenshots/NAME.svg."""
        lines = tmux("capture-pane", "-e", "-p").rstrip("\n").split("\n")
        width, height = map(int, tmux("display", "-p", "#{pane_width} #{pane_height}").split())
        console = Console(
            record=True,
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
        )
        for line in [*lines, *[""] * (height - len(lines))]:
            console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", crop=True)
        svg = console.export_svg(title="dbtui", unique_id=f"dbtui-{name}", theme=THEME)
        svg = FONT_FROM_THE_WEB.sub("", svg)
        svg = COMMENT.sub("", svg).replace("<text ", '<text xml:space="preserve" ')
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(name)


def tmux(*words: str) -> str:
    """Run one command of tmux on our own server and return what it prints."""
    command = ["tmux", "-L", SERVER, *words]
    environment = {name: value for name, value in os.environ.items() if name not in {"TMUX", "TMUX_PANE"}}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def make_files(here: Path) -> None:
    """Write what a person has at first: a model and photos."""
    from dbtui.demo.world.write import write_frogs
    from trainer_core.models.save import save_model
    from trainer_core.models.tiny import build_tiny

    (here / "models").mkdir(parents=True)
    save_model(build_tiny(), here / "models" / "tiny-sd1", format="safetensors", precision=None, metadata={})
    write_frogs(here / "photos", 8, subject=True)
    write_frogs(here / "frogs", 12, subject=False)


def walk(terminal: Terminal) -> None:
    """Go the whole way, a picture of each screen."""
    terminal.open(SIZE)
    terminal.wait_for("New run")
    terminal.wait_for("GPU")
    terminal.picture("home-empty")
    terminal.press("n")
    terminal.wait_for("1 goal ▸")
    terminal.picture("goal")
    terminal.press("Enter")
    terminal.wait_for("2 model ▸")
    terminal.press(":models/")
    terminal.wait_for("tiny-sd1.safetensors")
    terminal.press("Down", "Enter")
    terminal.wait_for("Stable Diffusion 1.x")
    terminal.picture("model")
    terminal.press("Enter")
    terminal.wait_for("What shall it be called?")
    terminal.press(":sks", "Tab", ":frog")
    terminal.wait_for("will learn")
    terminal.picture("name-known")
    terminal.press("BTab", "C-r")
    terminal.wait_for("good: one rare token")
    terminal.picture("name")
    terminal.press("C-a", "C-k", ":sls", "Enter")
    terminal.wait_for("4 pictures ▸")
    terminal.press(":photos")
    terminal.wait_for("▸ frog-00.png")
    terminal.press("Escape")
    terminal.picture("pictures")
    terminal.press("Enter")
    terminal.wait_for("5 class pictures ▸")
    terminal.wait_for("training  █")
    terminal.picture("class-pictures")
    terminal.press("Down", "Enter")
    terminal.wait_for("6 hardware ▸")
    terminal.wait_for("sd15-12gb")
    terminal.picture("hardware")
    terminal.press("Enter")
    terminal.wait_for("7 training ▸")
    terminal.press("C-a", "C-k", f":{STEPS}", "Down", "Down", "Down", ":64,64", "C-n")
    terminal.wait_for("sls frog")
    terminal.picture("training")
    terminal.press("F3")
    terminal.wait_for("All settings")
    terminal.press(":noise")
    terminal.wait_for("noise")
    terminal.picture("all-settings")
    terminal.press("Escape", "Escape")
    terminal.wait_for("7 training ▸")
    terminal.press("Enter")
    terminal.wait_for("s starts it")
    terminal.picture("review")
    train(terminal)
    others(terminal)


def train(terminal: Terminal) -> None:
    """Start the training and watch it."""
    terminal.press("s")
    terminal.wait_for(f"/{STEPS}")
    terminal.picture("monitor")
    terminal.wait_for("is done")
    terminal.picture("result")
    terminal.press("Escape")
    time.sleep(1)
    terminal.picture("home")


def others(terminal: Terminal) -> None:
    """The screens that are no steps."""
    for key, name, words in (
        ("p", "presets", "sd15-12gb"),
        ("m", "models", "tiny-sd1"),
        ("h", "doctor", "Python"),
    ):
        terminal.press(key)
        terminal.wait_for(words, without="looking at")
        terminal.picture(name)
        terminal.press("Escape")
        time.sleep(0.5)
    terminal.press("g")
    terminal.wait_for("✓ a whole model")
    terminal.press("C-a", "C-k", ":sls frog on a leaf", "Tab", "Tab", "Tab", ":2", "F4", "Enter")
    terminal.wait_for("pictures in generated/")
    terminal.picture("generate")
    terminal.press("F1")
    time.sleep(1)
    terminal.picture("help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    here = (
        Path(tempfile.gettempdir()) / "frog-studio"
    )  # it is seen in the pictures, so it has always the same name
    here.mkdir()
    terminal = Terminal(here)
    try:
        make_files(here)
        walk(terminal)
    finally:
        terminal.close()
        shutil.rmtree(here)


if __name__ == "__main__":
    main()
