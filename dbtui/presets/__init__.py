"""The preset library: find, show and check presets; the data files live in /presets."""
