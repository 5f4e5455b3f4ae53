"""What the person wants done when a run ends, named in their own configuration file alone. No torch."""
