"""What F1 says in the last step."""

HELP = """\
# Review

Everything has been looked at as `dbtui plan` does it: the settings, the model, every picture, the disk. Here is
what would happen, and the file that says so.

* **s** starts the training. It runs by itself: you may close this terminal and come back with `dbtui`.
* **w** writes the run file only, for later or for another machine. `dbtui run FILE` trains exactly the same.
* **c** copies that command (the terminal must allow it; it is shown as text as well).
* **n** gives the run a name of your own.
* **r** looks again, after something was mended outside.
* **tab** goes between the name, the plan and the file; what has the focus is shown larger, arrows scroll it.

## When something is wrong

Each problem is a line. **Enter** goes to the step and the field that mends it, **F6** comes back here from any
step. Nothing is started as long as one is left.

## The name

The folder of the run in your runs folder. Without one it is named after what it learns, with the next free number.
"""
