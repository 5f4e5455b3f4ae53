"""Draw a picture of the dashboard from a recorded run: `python tools/screenshot_dashboard.py RUN_DIR [SVG]`.

The picture shows the run as it was at `--step` (its end by default); docs/dashboard.svg is the README's.
"""

import argparse
import io
import re
from pathlib import Path

from rich.console import Console

from dbtui.dashboard.facts import read_facts
from dbtui.dashboard.live import KEYS
from dbtui.dashboard.state import Event, fold
from dbtui.dashboard.view import Moment, draw
from trainer_core.run.directory import open_run
from trainer_core.run.events import EventReader

FONT_FROM_THE_WEB = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Write the picture and say which step it shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory with events.jsonl")
    parser.add_argument("svg", type=Path, nargs="?", default=Path("docs/dashboard.svg"))
    parser.add_argument("--step", type=int, help="the last step to show")
    parser.add_argument("--size", default="100x30", help="width x height in characters (default: %(default)s)")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    run = open_run(options.run)
    state = fold(until(EventReader(run.events).poll(), options.step))
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    for line in draw(state, read_facts(run), width, height, Moment(keys=KEYS)):
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    svg = console.export_svg(title="dbtui run", unique_id="dbtui")
    options.svg.write_text(FONT_FROM_THE_WEB.sub("", svg), encoding="utf-8")
    print(f"{options.svg}: step {state.step} of {state.total_steps}")


def until(events: list[Event], step: int | None) -> list[Event]:
    """Return the events up to the first one after `step`."""
    if step is None:
        return events
    later = (index for index, event in enumerate(events) if event["kind"] == "step" and event["step"] > step)
    return events[: next(later, len(events))]


if __name__ == "__main__":
    main()
