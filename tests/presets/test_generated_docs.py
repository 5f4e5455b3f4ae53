"""The committed pages are those that the generator writes."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "settings.schema.json", "coverage.md", "presets.md"])
def test_it_is_up_to_date(generator, name):
    path = ROOT / "docs" / name
    written = generator.generated()[path]
    assert path.read_text(encoding="utf-8") == written, "run `make generate`"


def test_every_setting_is_on_the_page_and_in_the_schema(generator):
    from trainer_core.config.fields import all_fields, all_tables

    page, schema = generator.settings_page(), generator.json_schema()
    for table in all_tables():
        assert f"## `{table.header}`" in page
    for field in all_fields().values():
        assert f"| `{field.name}` |" in page
        node = schema
        for part in field.key.split("."):
            node = node.get("items", node)["properties"][part]
        assert node["description"].startswith(field.help)
        assert {"type", "enum"} & node.keys()


def test_the_schema_refuses_unknown_names_in_every_table(generator):
    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for inner in node.values():
                yield from objects(inner)

    found = list(objects(generator.json_schema()))
    assert len(found) > 10
    assert all(node["additionalProperties"] is False for node in found)
