"""Numbers that come out of derivations, against those that others have computed or printed."""

from __future__ import annotations

from typing import Any

import pytest

from thalweg.explain.derivations.listing import DERIVATIONS, found


def rows(name: str, table: int = 0) -> dict[Any, list[Any]]:
    """The rows of a table by their first cell."""
    return {first: list(rest) for first, *rest in found(name).computed()[table].rows}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_tables_are_as_wide_as_their_columns(name: str) -> None:
    for numbers in found(name).computed():
        assert numbers.caption
        assert all(len(row) == len(numbers.columns) for row in numbers.rows)


def test_a_parabola() -> None:
    found = rows("parabola")
    assert [found[name][0] for name in ("x*", "f(x*)", "f″(x*)")] == [3.0, 0.0, 2.0]


def test_ridge() -> None:
    ((slope,),) = rows("ridge").values()
    assert slope < 1e-13


def test_shares_that_a_penalty_leaves_on_the_houses() -> None:
    shares, weights = rows("eigen-shrinkage"), rows("eigen-shrinkage", 1)
    assert shares[1.0] == pytest.approx([0.4846, 0.9171], abs=5e-5)
    assert shares[100.0] == pytest.approx([0.0093, 0.0996], abs=5e-5)
    assert weights[0.0] == pytest.approx([38.188, 19.149], abs=5e-4)
    assert weights[1.0] == pytest.approx([30.904, 21.678], abs=5e-4)
    columns = found("eigen-shrinkage").computed()[0].columns
    assert columns[1:] == ("λ₁ = 0.940150", "λ₂ = 11.059850")


def test_a_penalty_under_adam_holds_small_gradients_back_the_most() -> None:
    """Published from two weights and another draw; here are 200 of each, and their spread."""
    table = found("weight-decay").computed()[0].rows
    published = (-0.0016, 0.930, 0.755, 0.728)
    for (_, _, mean, spread), once in zip(table, published, strict=True):
        assert mean == pytest.approx(once, abs=3 * spread)
    small, large, *decayed = (row[2] for row in table)
    assert small < 0.05
    assert large > 0.9
    assert decayed == pytest.approx([(1 - 1e-4) ** 3000] * 2, abs=0.01)


def test_slopes_of_the_hinge_where_the_margin_is_met() -> None:
    assert [value for (value,) in rows("hinge").values()] == [0.0, -1.0]


def test_softmax_with_cross_entropy() -> None:
    once, more = rows("softmax-cross-entropy").values()
    assert once == pytest.approx([0.253716, -0.310328, 0.056612], abs=5e-7)
    assert more == pytest.approx([-0.119426, 0.034508, 0.084918], abs=5e-7)


def test_both_signs_of_momentum() -> None:
    for point in rows("momentum-signs").values():
        assert point == pytest.approx([-0.826756, -0.145232], abs=5e-7)


def test_sums_over_gradients() -> None:
    for point, double, other, ahead in by_step("momentum-unrolled"):
        assert double == pytest.approx(point, rel=1e-12)
        assert other == pytest.approx(ahead, rel=1e-12)
        assert other != pytest.approx(point, rel=1e-2)


def test_the_point_ahead() -> None:
    for point, ahead, stored in by_step("nesterov"):
        assert stored == pytest.approx(ahead, rel=1e-12)
        assert stored != pytest.approx(point, rel=1e-2)


def by_step(name: str) -> list[list[tuple[float, float]]]:
    """Points by step, of all columns of a table of eight steps."""
    table = rows(name)
    assert list(table) == list(range(1, 9))
    return [list(zip(row[::2], row[1::2], strict=True)) for row in table.values()]


def test_steps_of_adam_with_a_state_that_is_corrected() -> None:
    steps = rows("adam-bias-correction")
    assert [step for step, _ in steps.values()] == pytest.approx([0.01] * 5, rel=1e-6)
    literal = [step for _, step in steps.values()]
    assert literal[:3] == pytest.approx([0.0100, 0.00235, 0.00044], abs=5e-6)
    assert literal[3:] == pytest.approx([6.6e-10, 2e-41], rel=0.02)
    assert rows("adam-bias-correction", 1)["without correction"] == pytest.approx(
        [3.1623], abs=5e-5
    )


def test_normalizations() -> None:
    (angle,), (lengths,) = rows("weight-normalization").values()
    assert abs(angle) < 1e-14 * lengths
    (white,), (raw,) = rows("batch-normalization").values()
    assert white < 1e-13
    assert raw > 1


def test_gradients_over_a_hundred_steps() -> None:
    """The draws behind 6.9e-8 for tanh and 1.6e32 for ReLU are not known; these are others."""
    table = rows("vanishing-bound")
    norm, found_, bound = table["linear"]
    assert (norm, found_, bound) == pytest.approx((0.9, 6.7e-35, 2.7e-5), rel=0.02)
    assert table["tanh"][0] == table["ReLU"][0] == 5
    assert table["tanh"][1] < 1e-5
    assert table["ReLU"][1] > 1e15
    assert all(found_ <= bound for _, found_, bound in table.values())


def test_gradients_through_time() -> None:
    for differentiated, right, printed in list(rows("backpropagation-through-time").values())[:4]:
        assert right == pytest.approx(differentiated, rel=1e-10)
        assert printed != pytest.approx(differentiated, rel=1e-4)


def test_the_largest_entry_and_log_sum_exp() -> None:
    largest, smooth, softmax, tied = rows("largest-and-log-sum-exp").values()
    assert largest == [0, -1, 0]
    assert smooth == pytest.approx(softmax, rel=1e-12)
    assert tied == [0.5, -0.5, 0]


def test_variance_through_uniform_weights() -> None:
    inverse, root = rows("initialization-variance").values()
    assert inverse == pytest.approx([0.00333, 0.00333, 4.1e-13, 4.1e-13], rel=0.02)
    assert root == pytest.approx([0.333, 0.333, 4.1e-3, 4.1e-3], rel=0.02)


def test_dropped_weights() -> None:
    changes = [dropped for _, dropped in rows("dropped-weights").values()]
    assert changes == pytest.approx([0, 0.54, -0.0159], abs=1e-12)
