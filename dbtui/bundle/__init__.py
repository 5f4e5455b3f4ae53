"""The generator of the portable single-file trainer."""
