"""The house keeps its shape: sizes of modules and functions, names, and documentation."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src" / "thalweg").rglob("*.py"))
MOST_LINES, MOST_LINES_OF_FUNCTION = 400, 60
REFUSED = {"utils", "util", "helpers", "common", "base", "core", "misc", "manager"}

# Functions that may be longer, each with its reason.
LONGER: dict[str, str] = {}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "src"))


def lines_of_code(text: str) -> int:
    """Lines that hold code: no blank ones, comments or docstrings."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        held = getattr(node, "body", None)
        if isinstance(held, list) and held and isinstance(held[0], ast.Expr):
            value = held[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings |= set(range(value.lineno, (value.end_lineno or value.lineno) + 1))
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (*silent, tokenize.ENDMARKER):
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert lines_of_code(text) <= MOST_LINES, "a module this long holds two things; divide it"
    assert REFUSED.isdisjoint([path.stem, *path.relative_to(ROOT).parts[:-1]])
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or not text.strip(), "a module opens with a map"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            long = (node.end_lineno or 0) - node.body[0].lineno + 1 > MOST_LINES_OF_FUNCTION
            assert not long or f"{named(path)}:{node.name}" in LONGER, node.name


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_what_is_exported_exists_and_is_explained(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    exported = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
    ]
    if path.name not in ("__init__.py", "__main__.py"):
        assert exported or not any(not name.startswith("_") for name in defined), "no __all__"
    for name in exported[0] if exported else ():
        if name in defined:
            assert ast.get_docstring(defined[name]), f"{name} has no docstring"


def test_folders_are_explained_in_the_design() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for path in (ROOT / "src" / "thalweg").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert f"`{path.name}/`" in design, path.name
