"""A small plan of runs, and a record that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thalweg.record import Record
from thalweg.record.tables import Experiment, Program, Run


def planned(runs: int = 4, id: str = "e1") -> Experiment:
    """An experiment of waiting runs ``r0``, ``r1``, …"""
    return Experiment(
        id=id,
        question="Which is better?",
        spec={"training": {"epochs": 3}, "optimizer": [{"adam": {}}, {"momentum": {"β": 0.9}}]},
        compare={"factor": "optimizer"},
        environment={"jax": "0.10.2", "cores": 2},
        runs=tuple(
            Run(
                id=f"r{i}",
                spec={"optimizer": "adam" if i % 2 else "momentum", "seed": i},
                seed=i,
                steps=100,
                phase="report" if i % 2 else "tune",
                factors={"optimizer": "adam" if i % 2 else "momentum"},
            )
            for i in range(runs)
        ),
        programs=(Program("p1", {"lanes": 8, "cpu": "x"}, 1.5),),
    )


@pytest.fixture
def plan() -> Callable[..., Experiment]:
    return planned


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def record(project: Path) -> Iterator[Record]:
    """Open for writing, with the experiment ``e1`` of the runs ``r0`` to ``r3``."""
    with Record.open(project, write=True) as record:
        record.add_experiment(planned())
        yield record
