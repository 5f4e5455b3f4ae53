"""A later schema in the place of today's, wherever it is read."""

from trainer_core.config import fields, layer, reader


def with_made_up(config, monkeypatch):
    """Yield while `config` is the schema."""
    for module in (fields, layer, reader):
        monkeypatch.setattr(module, "Config", config)
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget():
    for function in (fields.root, fields.all_tables, fields.all_fields):
        function.cache_clear()
