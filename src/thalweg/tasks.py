"""Tasks: what is to be predicted, and where.

What a target is and where targets stand is the row of a task in ``FACTS``, and what everyone may
ask of a task follows from these two. What only one layer knows of it is a table of its own there:
the loss it calls for (``catalogue.losses.chosen``), and what is measured (``engine.measures``).
Every such table is a ``ByTask``, so that the type checker names the tables a new task is not in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypedDict, TypeVar

__all__ = ["FACTS", "ByTask", "Facts", "TableTask", "Task", "classification"]

# What any data can ask for, and what a column of a table can: ``tokens`` is a class at every step
# of a sequence, ``nodes`` one at every node of a tree; ``generation`` has nothing to predict:
# more of the same is to be made.
Task: TypeAlias = Literal["binary", "multiclass", "regression", "tokens", "nodes", "generation"]
TableTask: TypeAlias = Literal["binary", "multiclass", "regression"]

T = TypeVar("T")


class ByTask(TypedDict, Generic[T]):
    """A table with one row for every task."""

    binary: T
    multiclass: T
    regression: T
    tokens: T
    nodes: T
    generation: T


@dataclass(frozen=True)
class Facts:
    """What is known of a task.

    Args:
        target: what is predicted.
        at: where targets stand: one for a row, or many in it, one for each of its steps or nodes,
            where -1 says that none is asked for.
    """

    target: Literal["class", "numbers", "nothing"]
    at: Literal["row", "step", "node"] = "row"

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes."""
        return self.target == "class"

    @property
    def has_numbers(self) -> bool:
        """Whether targets are numbers, which have units and can be scaled."""
        return self.target == "numbers"

    @property
    def makes_samples(self) -> bool:
        """Whether nothing is predicted, and samples like the inputs are made instead."""
        return self.target == "nothing"

    @property
    def has_steps(self) -> bool:
        """Whether a row has a target at each of many steps or nodes."""
        return self.at != "row"

    @property
    def labels_rows(self) -> bool:
        """Whether every row is of one class, whose share every part of a split can keep."""
        return self.has_classes and not self.has_steps


FACTS: ByTask[Facts] = {
    "binary": Facts("class"),
    "multiclass": Facts("class"),
    "regression": Facts("numbers"),
    "tokens": Facts("class", at="step"),
    "nodes": Facts("class", at="node"),
    "generation": Facts("nothing"),
}


def classification(classes: int) -> TableTask:
    """The task of telling so many classes apart, one for every row."""
    return "binary" if classes == 2 else "multiclass"
