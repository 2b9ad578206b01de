"""Shared by all tests: devices are prepared before anything computes, and data are found."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest

# Programs of tests are compiled anew only where their code changed.
os.environ.setdefault("THALWEG_CACHE", str(Path(__file__).parent.parent / ".cache"))
# Nearly all time of the tests goes into compiling what runs once, so that is done quickly; programs
# of the engine have options of their own, see ``_compiled_quickly``.
os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    )
)

from thalweg.engine import devices, program

devices.prepare()


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: looking through them for garbage again is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20)


def _quick_options() -> dict[str, Any]:
    """The compiler options of the engine's programs, with as little optimization as there is."""
    return {**devices.brief_options(), "xla_backend_optimization_level": 0}


def compile_programs(*, quickly: bool) -> None:
    """From now on programs are compiled quickly, or as they are outside of tests.

    What has been compiled is forgotten. Every compiled program holds regions of memory, of which a
    process can have 65,530: all tests together compile more than one process survives.
    """
    jax.config.update("jax_disable_most_optimizations", quickly)
    program.compiler_options = _quick_options if quickly else devices.compiler_options
    program.brief_options = _quick_options if quickly else devices.brief_options
    for made in vars(program).values():
        if hasattr(made, "cache_clear") and made.__module__ == program.__name__:
            made.cache_clear()
    jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a module compiles, unless it is marked ``optimized``: answers count, not speed."""
    compile_programs(quickly=request.node.get_closest_marker("optimized") is None)
    yield
    compile_programs(quickly=False)


@pytest.fixture(autouse=True)
def _compiled_well(request: pytest.FixtureRequest) -> Iterator[None]:
    """What single tests compile that are marked ``optimized`` in a module that is not."""
    alone = any(mark.name == "optimized" for mark in request.node.own_markers)
    if alone:
        compile_programs(quickly=False)
    yield
    if alone:
        compile_programs(quickly=True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data that are not part of the repository; tests that need them skip without."""
    given = os.environ.get("THALWEG_DATA")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"no real data at {folder}; set THALWEG_DATA to their folder")
    return folder
