"""Running commands: in this process through the real entry point, or as processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.cli import main

# Two optimizers on forty points, a number tuned: the smallest experiment with every phase.
SPEC = """\
question = "Which optimizer is better?"

[data]
moons = { samples = 40, noise = 0.1 }

[network]
mlp = { hidden = [4] }

[[optimizer]]
gradient_descent = { learning_rate = [0.01, 0.1] }

[[optimizer]]
adam = { learning_rate = [0.01, 0.1] }

[training]
epochs = 2
batch_size = "full"

[compare]
factor = "optimizer"
tune = ["learning_rate"]
seeds = { tune = 1, report = 2 }
"""


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as one JSON object, in which NaN and infinity are forbidden."""

        def refuse(word: str) -> None:
            raise ValueError(f"{word} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


def run_here(*arguments: str | Path) -> Ran:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def environment(**changes: str | None) -> dict[str, str]:
    """The variables of a process of its own; None takes one away."""
    source = Path(sys.modules["thalweg"].__file__ or "").parent.parent
    variables = {**os.environ, "PYTHONPATH": str(source), **changes}
    return {name: value for name, value in variables.items() if value is not None}


def start(*arguments: str | Path, **settings: Any) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    command = [sys.executable, "-m", "thalweg", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, **{**pipes, "env": environment(), **settings})
