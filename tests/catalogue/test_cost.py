"""What steps cost: counted, and as the literature has it."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.catalogue.line_searches import Backtracking, ExactSearch
from thalweg.catalogue.optimizers import (
    BFGS,
    LBFGS,
    Adafactor,
    Adam,
    GaussNewton,
    GradientAccumulation,
    GradientDescent,
    HessianFree,
    LevenbergMarquardt,
    Momentum,
    Nesterov,
    Newton,
    PolyakAveraging,
    SharpnessAware,
    SteepestDescent,
)
from thalweg.catalogue.optimizers.cost import State, cost

# Curvatures are at most 2, so that steps of 0.25 are short enough at once.
SHORT = Backtracking(longest=0.25)


@pytest.mark.parametrize(
    ("optimizer", "state", "matrix", "values", "gradients", "products"),
    [
        (GradientDescent(), "0", False, 0, 1, 0),
        (Momentum(), "P", False, 0, 1, 0),
        (Nesterov(), "P", False, 0, 1, 0),  # a gradient elsewhere, not one more
        (Adam(), "2 P", False, 0, 1, 0),
        (Adafactor(), "2 √P", False, 0, 1, 0),
        (SharpnessAware(inner=Momentum()), "P", False, 0, 2, 0),
        (PolyakAveraging(inner=Adam()), "3 P", False, 0, 1, 0),
        (GradientAccumulation(inner=Adam()), "3 P", False, 0, 1, 0),
        (SteepestDescent(search=SHORT), "0", False, 1, 1, 0),
        # A column of the matrix for each of 16 parameters.
        (Newton(), "0", True, 0, 1, 16),
        (LevenbergMarquardt(), "1", True, 1, 2, 16),
        (GaussNewton(), "0", True, 0, 2, 16),
        # One product of each turn of the solve, and one for what it promises.
        (HessianFree(iterations=3, tolerance=0), "1", False, 1, 2, 4),
        (BFGS(search=SHORT), "P²", True, 1, 2, 0),
        (LBFGS(memory=4, search=None), "8 P", False, 0, 2, 0),
    ],
    ids=repr,
)
def test_costs(
    optimizer: Any, state: str, matrix: bool, values: float, gradients: float, products: float
) -> None:
    found = cost(optimizer)
    assert str(found.state) == state
    assert found[1:] == (matrix, values, gradients, products)


def test_state_is_said_in_the_terms_that_grow() -> None:
    assert str(State(1, 0, 0, 1)) == "P²"
    assert str(State(0, 3, 2, 0)) == "3 P + 2 √P"
    assert str(State(0, 0, 0, 2)) == "2"


def test_an_exact_search_on_a_bowl_takes_few_gradients() -> None:
    found = cost(SteepestDescent(search=ExactSearch()))
    assert found.values == 0
    assert 2 < found.gradients <= 8
