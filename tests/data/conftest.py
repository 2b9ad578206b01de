"""Where the real data are: $THALWEG_DATA, or the folder shared/data beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    folder = Path(os.environ.get("THALWEG_DATA", ROOT.parent / "shared" / "data")) / "mnist"
    if not folder.is_dir():
        pytest.skip(f"MNIST is not in {folder}; set THALWEG_DATA to the folder that holds it")
    return folder
