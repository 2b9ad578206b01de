"""A training that is cut off on its way, and what comes of it when nothing happens to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.commands import start

# Two programs that train for several seconds each, so that they are cut off on the way.
LONG = """\
[data]
moons = { samples = 200, noise = 0.1 }

[[optimizer]]
adam = { learning_rate = [0.001, 0.01] }

[[optimizer]]
momentum = { learning_rate = [0.01, 0.1] }

[training]
epochs = 30000
batch_size = "full"
"""


@pytest.fixture(scope="session")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.toml"
    path.write_text(LONG)
    return path


@pytest.fixture(scope="session")
def here(spec: Path) -> Path:
    """The project of a training of this machine."""
    with start("run", spec, "--project", spec.parent) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return spec.parent
