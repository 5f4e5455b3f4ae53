"""report.html: one self-contained page about a run, made of its events and files. No torch."""
