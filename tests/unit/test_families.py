"""Rule 7: nothing outside trainer_core/models asks which family a model is."""

import ast
from pathlib import Path

import dbtui
import trainer_core

NAMES = {"sd1", "sd2"}
ALLOWED = {"trainer_core/models", "trainer_core/config/schema.py", "dbtui/presets/importing/peers"}  # their flags


def comparisons_with_a_family(tree: ast.AST) -> list[int]:
    def is_name(node: ast.AST) -> bool:
        return isinstance(node, ast.Constant) and node.value in NAMES

    compared = [n for n in ast.walk(tree) if isinstance(n, ast.Compare | ast.MatchValue | ast.Set | ast.Dict)]
    return [node.lineno for node in compared if any(is_name(child) for child in ast.walk(node))]


def test_no_code_branches_on_a_family():
    found = []
    for package in (dbtui, trainer_core):
        root = Path(package.__file__).parent
        for path in sorted(root.rglob("*.py")):
            relative = path.relative_to(root.parent).as_posix()
            if not any(relative.startswith(allowed) for allowed in ALLOWED):
                found += [f"{relative}:{line}" for line in comparisons_with_a_family(ast.parse(path.read_text()))]
    assert found == []


def test_the_check_can_fail():
    assert comparisons_with_a_family(ast.parse("if model.family == 'sd2': pass")) == [1]
