"""Shared by all tests: devices are prepared before anything computes, and data are found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

# Programs of tests are compiled anew only where their code changed.
os.environ.setdefault("THALWEG_CACHE", str(Path(__file__).parent.parent / ".cache"))
# Nearly all time of the tests goes into compiling what runs once, so that is done quickly; programs
# of the engine have options of their own, which this does not touch.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_use_fusion_emitters=false"

from thalweg.engine import devices

devices.prepare()

QUICKLY = {Path(__file__).parent / folder for folder in ("catalogue", "reference", "worked")}


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a module compiles where answers count, not speed; forgotten after it.

    Every compiled program holds regions of memory, of which a process can have 65,530: all tests
    together compile more than one process survives.
    """
    jax.config.update("jax_disable_most_optimizations", request.path.parent in QUICKLY)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data that are not part of the repository; tests that need them skip without."""
    given = os.environ.get("THALWEG_DATA")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"no real data at {folder}; set THALWEG_DATA to their folder")
    return folder
