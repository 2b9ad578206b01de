"""A training to which something happens: few of each kind; ``benchmarks/faults.py`` tries many."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarks.faults import Faults


@pytest.fixture(scope="module")
def faults(tmp_path_factory) -> Faults:
    """Compared with a training to which nothing happened."""
    prepared = Faults(tmp_path_factory.mktemp("faults"), random.Random(1))
    prepared.prepare()
    return prepared


@pytest.fixture
def mounting(tmp_path) -> None:
    """Skips where no file system can be mounted."""
    command = ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command).returncode:
        pytest.skip("mounting a file system takes root")
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_killed_again_and_again(faults):
    assert faults.kills(2) > 0


def test_the_power_is_cut(faults, mounting):
    if not Path("/dev/loop-control").exists():
        pytest.skip("a disk image cannot be mounted")
    faults.power_cut("killed_after_write:3")


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "killed_after_write",
        "killed_before_file",
        "killed_after_file",
        "killed_exporting",
        "damage",
        "disk",
        "device",
        "clock",
        "processes",
    ],
)
def test_other_faults(faults, kind):
    getattr(faults, kind)()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "read_only"])
def test_other_faults_of_disks(faults, mounting, kind):
    getattr(faults, kind)()
