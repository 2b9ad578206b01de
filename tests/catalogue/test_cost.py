"""What steps cost: counted, and as the literature has it."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.catalogue.line_searches import Backtracking, ExactSearch
from thalweg.catalogue.optimizers import (
    Adafactor,
    Adam,
    GradientAccumulation,
    GradientDescent,
    Momentum,
    Nesterov,
    PolyakAveraging,
    SharpnessAware,
    SteepestDescent,
)
from thalweg.catalogue.optimizers.cost import cost


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (GradientDescent(), (0, 0, 1, 0)),
        (Momentum(), (1, 0, 1, 0)),
        (Nesterov(), (1, 0, 1, 0)),  # a gradient elsewhere, not one more
        (Adam(), (2, 0, 1, 0)),
        (Adafactor(), (0.02, 0, 1, 0)),
        (SharpnessAware(inner=Momentum()), (1, 0, 2, 0)),
        (PolyakAveraging(inner=Adam()), (3, 0, 1, 0)),
        (GradientAccumulation(inner=Adam()), (3, 0, 1, 0)),
        # Curvatures are at most 2, so that 0.25 is short enough at once.
        (SteepestDescent(search=Backtracking(longest=0.25)), (0, 1, 1, 0)),
    ],
    ids=repr,
)
def test_costs(optimizer: Any, expected: tuple[float, ...]) -> None:
    assert cost(optimizer) == pytest.approx(expected)


def test_an_exact_search_on_a_bowl_takes_few_gradients() -> None:
    found = cost(SteepestDescent(search=ExactSearch()))
    assert found.values == 0
    assert 2 < found.gradients <= 8
