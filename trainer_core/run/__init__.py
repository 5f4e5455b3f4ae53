"""The run directory: creation, lock, names, events, control commands, atomic writes."""
