"""What a command loads before it does anything: nothing that takes time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.commands import environment

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
