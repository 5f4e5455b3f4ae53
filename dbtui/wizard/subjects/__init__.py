"""What the subjects of a new run are called: plain functions of the draft, and nothing that is shown."""
