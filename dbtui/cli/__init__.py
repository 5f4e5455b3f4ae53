"""The command line: one file per command, bodies thin, heavy imports late."""
