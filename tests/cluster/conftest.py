"""A training that is cut off on its way, and what comes of it when nothing happens to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.commands import environment, start

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

ONE_DEVICE = "--xla_force_host_platform_device_count=1"


@pytest.fixture(scope="session")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.toml"
    path.write_text(LONG)
    return path


@pytest.fixture(scope="session")
def here(spec: Path) -> Path:
    """The project of a training of this machine, on as many devices as a worker has."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {ONE_DEVICE}"
    with start("run", spec, "--project", spec.parent, env=environment(XLA_FLAGS=flags)) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return spec.parent
