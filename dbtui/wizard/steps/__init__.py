"""The steps of a new run, one screen each."""
