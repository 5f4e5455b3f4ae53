"""What a folder's name says, and what is said of a wrong one."""

import pytest

from trainer_core.data.folder_names import FolderName, WrongName, parse_folder_name, split_prompt


@pytest.mark.parametrize(
    ("name", "repeats", "prompt"),
    [
        ("20_sls frog", 20, "sls frog"),
        ("20_sls_frog", 20, "sls_frog"),
        ("1_frog", 1, "frog"),
        ("10_sls 1girl", 10, "sls 1girl"),
        ("20_sls frog ", 20, "sls frog"),
        ("20_ sls  frog", 20, "sls frog"),
        ("007_bond", 7, "bond"),
        ("3_1_2", 3, "1_2"),
    ],
)
def test_a_good_name(name, repeats, prompt):
    assert parse_folder_name(name, "train") == FolderName(repeats=repeats, prompt=prompt)


@pytest.mark.parametrize(
    ("name", "fix", "attempt"),
    [
        ("20 sls frog", 'a space where the "_" belongs. Rename it to "20_sls frog"', True),
        ("20-sls frog", '"-" where the "_" belongs. Rename it to "20_sls frog"', True),
        ("20 _sls frog", None, None),
        ("0_x", 'Rename it to "1_x"', True),
        ("-3_x", 'Rename it to "1_x"', True),
        ("20_", "no words follow", True),
        ("20230101_frogs", 'over 10000. Rename it to, for example, "1_frogs"', True),
        ("sls frog", 'Rename it to, for example, "1_sls frog"', False),
        ("my_frogs", 'Rename it to, for example, "1_my_frogs"', False),
        ("20", "repeat count", False),
    ],
)
def test_a_wrong_name_comes_with_its_fix(name, fix, attempt):
    parsed = parse_folder_name(name, "train")
    if fix is None:  # int() takes spaces around the number
        assert parsed == FolderName(repeats=20, prompt="sls frog")
        return
    assert isinstance(parsed, WrongName)
    assert fix in parsed.text
    assert parsed.attempt is attempt


@pytest.mark.parametrize(
    ("prompt", "kind", "expected"),
    [
        ("sls frog", "train", ("sls", "frog")),
        ("sls french bulldog", "train", ("sls", "french bulldog")),
        ("frog", "train", (None, "frog")),
        ("frog", "class", (None, "frog")),
        ("french bulldog", "class", (None, "french bulldog")),
    ],
)
def test_identifier_and_class(prompt, kind, expected):
    assert split_prompt(prompt, kind) == expected
