"""Every task has its row in every table, and what is said of it holds together."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from thalweg.catalogue.losses.chosen import CHOSEN, chosen_for
from thalweg.engine.measures import MEASURED, default_metric, metric_names, metrics
from thalweg.tasks import FACTS, ByTask, TableTask, Task, classification

TASKS = get_args(Task)


@pytest.mark.parametrize("table", [ByTask.__annotations__, FACTS, CHOSEN, MEASURED])
def test_tables_have_a_row_for_every_task(table: Any) -> None:
    assert tuple(table) == TASKS
    assert set(get_args(TableTask)) < set(TASKS)


def test_what_follows_from_a_task() -> None:
    def those(fact: str) -> set[str]:
        return {task for task in TASKS if getattr(FACTS[task], fact)}

    assert those("has_classes") == {"binary", "multiclass", "tokens", "nodes"}
    assert those("labels_rows") == {"binary", "multiclass"}
    assert those("has_steps") == {"tokens", "nodes"}
    assert those("has_numbers") == {"regression"}
    assert those("makes_samples") == {"generation"}
    assert [classification(count) for count in (2, 3)] == ["binary", "multiclass"]


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_served_by_its_loss(task: Any) -> None:
    loss, reason = chosen_for(task)
    assert task in loss.tasks
    assert reason


def test_what_runs_are_compared_by() -> None:
    own = {"regression": "r2", "tokens": "perplexity", "nodes": "root_accuracy"}
    wanted = {**dict.fromkeys(TASKS, "accuracy"), **own, "generation": "energy"}
    assert {task: default_metric(task) for task in TASKS} == wanted
    assert all(default_metric(task) in metric_names(task) for task in TASKS)


def test_metrics_of_sums_worked_by_hand() -> None:
    sums = np.array([[6.0, 3.0, 4 * np.log(2), 4.0]])
    counts, spread = np.array([4.0]), np.array([12.0])
    wanted: dict[str, dict[str, float]] = {
        "binary": {"loss": 1.5, "accuracy": 0.75},
        "multiclass": {"loss": 1.5, "accuracy": 0.75},
        "regression": {"loss": 1.5, "rmse": np.sqrt(0.75), "r2": 0.75},
        "tokens": {"loss": 1.5, "perplexity": 2, "bits_per_token": 1, "accuracy": 0.75},
        "nodes": {"loss": 1.5, "accuracy": 0.75, "root_accuracy": np.log(2)},
        "generation": {"loss": 1.5, "energy": 0.75},
    }
    for task in TASKS:
        found = metrics(task, sums, counts, spread)
        assert {name: values.item() for name, values in found.items()} == pytest.approx(
            wanted[task], rel=1e-12
        )
        assert tuple(found) == metric_names(task)
    # Targets that are all the same have no spread to explain.
    assert tuple(metrics("regression", sums, counts, 0 * spread)) == ("loss", "rmse")
