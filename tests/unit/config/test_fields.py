"""The schema's records, and the rules that every declaration keeps."""

from trainer_core.config.fields import all_fields, all_tables, root
from trainer_core.config.schema import Config


def test_every_setting_has_help_and_a_group():
    for field in all_fields().values():
        assert field.help.endswith("."), field.key
        assert field.group, field.key


def test_every_table_has_help():
    assert all(table.help.endswith(".") for table in all_tables())


def test_every_setting_of_a_path_is_a_binding():
    for field in all_fields().values():
        assert not field.path or field.binding, field.key


def test_conditions_and_alternatives_name_settings_and_their_values():
    for field in all_fields().values():
        if field.used_when:
            decider = all_fields()[field.used_when.key]
            if field.used_when.values and field.used_when.values != (None,):
                allowed = decider.value.choices or (True, False)
                assert set(field.used_when.values) < set(allowed), field.key
            assert field.used_when.values or field.used_when.unless, field.key
        if field.about.instead_of:
            assert all_fields()[field.about.instead_of].default in (None, 0)


def test_whole_numbers_are_bounded_on_both_sides():
    for field in all_fields().values():
        if field.value.kind == "whole number":
            assert field.value.ge is not None, field.key
            assert field.value.le is not None, field.key


def test_defaults_are_those_of_the_configuration():
    tables = Config().model_dump(by_alias=True)
    compared = [field for table in root().tables if not table.is_list for field in table.fields]
    assert len(compared) > 30
    assert all(tables[field.table][field.name] == field.default for field in compared)


def test_the_name_in_the_file_and_in_python_may_differ():
    field = all_fields()["concept.class"]
    assert (field.name, field.attribute, field.table) == ("class", "class_", "concept")
