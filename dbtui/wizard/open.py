"""Open the application on this terminal."""

import os

from dbtui.wizard.options import AppOptions

FRAMES_PER_SECOND = "10"


def open_wizard(options: AppOptions) -> int:
    """Run the application until the person leaves; return the exit code.

    At most 10 frames a second, and over SSH nothing is animated: each frame is sent over the line.
    """
    os.environ.setdefault("TEXTUAL_FPS", FRAMES_PER_SECOND)  # read when Textual is imported
    if "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from dbtui.wizard.app import WizardApp

    return WizardApp(options).run(mouse=options.mouse) or 0
