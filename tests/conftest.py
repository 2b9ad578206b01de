"""Shared by all tests: devices are prepared before anything computes, and data are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Programs of tests are compiled anew only where their code changed.
os.environ.setdefault("THALWEG_CACHE", str(Path(__file__).parent.parent / ".cache"))

from thalweg.engine import devices

devices.prepare()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data that are not part of the repository; tests that need them skip without."""
    given = os.environ.get("THALWEG_DATA")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"no real data at {folder}; set THALWEG_DATA to their folder")
    return folder
