"""What a command loads before it does anything: nothing that takes time."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from tests.cli.commands import environment

from thalweg.cli.app import app
from thalweg.cli.names import families
from thalweg.spec.families import FAMILIES, members

# Each takes a tenth of a second or more, and brings others along.
HEAVY = {"jax", "jaxlib", "numpy", "scipy", "sklearn", "pyarrow", "pandas", "rich", "pydantic"}

PROGRAM = """
import sys
{statement}
print(*sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""

COMMANDS = (
    [],
    ["--help"],
    ["--version"],
    ["run", "--help"],
    ["data", "list", "--help"],
    ["completion", "bash"],
    ["no-such-command"],
    ["run", "--no-such-option"],
    ["run"],
    ["run", "--data", "no-such-file", "--target", "y"],
    ["list"],
    ["list", "optimizers"],
    ["list", "curvature"],
)


def loaded(statement: str, **variables: str) -> set[str]:
    """The packages loaded after a statement."""
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True)
    return set(done.stderr.splitlines()[-1].split())


def test_import():
    assert not loaded("import thalweg") & HEAVY


def test_commands_that_compute_nothing():
    lines = ["from thalweg.cli import main", *(f"main({words!r})" for words in COMMANDS)]
    assert not loaded("\n".join(lines)) & HEAVY


@pytest.mark.parametrize("words", ["thalweg ", "thalweg ru", "thalweg show ada"])
def test_completion(words):
    typed = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    seen = loaded(
        "from thalweg.cli import main\ntry: main([])\nexcept SystemExit: pass",
        _THALWEG_COMPLETE="bash_complete",
        **typed,
    )
    assert not seen & HEAVY


def test_what_is_listed_is_the_catalogue():
    catalogue = {
        name: {
            (part, cls.__name__, inspect.getdoc(cls).splitlines()[0])
            for part, cls in members(family).items()
        }
        for name, family in FAMILIES.items()
    }
    listed = families()
    assert list(listed) == list(catalogue)
    for name, family in listed.items():
        assert set(family.parts) == catalogue[name]
        assert [part.name for part in family.parts] == sorted(part.name for part in family.parts)
        assert family.meaning
        assert len(f"{name}: {family.meaning}") <= 80


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("", {"run", "plan", "show", "data"}),
        ("ex", {"export"}),
        ("data ", {"list", "fetch"}),
        ("show ada", {"adagrad", "adam", "adamw"}),
        ("list opt", {"optimizers"}),
        ("list curv", {"curvature"}),
        ("show hess", {"hessian_free", "hessian_product"}),
        ("export --format ", {"csv", "parquet"}),
        ("run --p", {"--project"}),
    ],
)
def test_what_is_completed(words, offered):
    *before, typed = words.split(" ")
    complete = ShellComplete(app, {}, "thalweg", "_THALWEG_COMPLETE")
    assert offered <= {item.value for item in complete.get_completions(before, typed)}


def test_spec_files_are_completed_by_the_shell():
    complete = ShellComplete(app, {}, "thalweg", "_THALWEG_COMPLETE")
    assert [item.type for item in complete.get_completions(["run"], "mo")] == ["file"]
