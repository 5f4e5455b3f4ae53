"""The configuration's schema as a form: descriptions of settings and typed texts (pure), then widgets."""
