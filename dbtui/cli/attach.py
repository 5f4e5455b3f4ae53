"""`dbtui attach`: watch a run, live or past."""

from dbtui.cli import options


def attach(run: options.Run = None, runs_dir: options.RunsDir = options.DEFAULT_RUNS_DIR) -> int:
    """Watch a run, live or past. Ctrl-C or `d` leaves; the training goes on."""
    from dbtui.dashboard.interrupts import Interrupts
    from dbtui.dashboard.viewer import watch_attached
    from dbtui.runs.find import choose_run

    with Interrupts() as interrupts:
        return int(watch_attached(choose_run(runs_dir, run), interrupts))
