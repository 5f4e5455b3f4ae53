"""The configuration: a schema declared once and the TOML reader with its error messages."""
