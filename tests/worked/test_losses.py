"""Losses and penalties on examples that textbooks and lecture notes work out by hand.

More of them stand beside the losses they are about: in ``tests/reference/test_losses.py``, and for
linear models in ``test_linear_models.py``.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Softplus
from thalweg.catalogue.losses import BinaryCrossEntropy, CategoricalCrossEntropy, ZeroOne
from thalweg.catalogue.losses.loss import decided
from thalweg.catalogue.regularizers import L1, LInfinity, LogSumExp

# Four vectors of ten probabilities each, as printed, and the classes that are right.
PRINTED = np.array(
    [
        [0.05, 0.05, 0.05, 0.70, 0.05, 0.05, 0, 0, 0, 0.05],
        [0.10] * 7 + [0.15, 0.05, 0.10],
        [0.05, 0.60, 0.10, 0.05, 0.05, 0.05, 0, 0.05, 0, 0.05],
        [0.05] * 9 + [0.50],
    ]
)
LABELS = np.array([3, 7, 1, 9])


def test_four_vectors_of_probabilities_of_which_one_is_none() -> None:
    """All are said to add up to one; the last adds up to 0.95, and 0.70 + 0.05 · 8 is 1.10."""
    np.testing.assert_allclose(PRINTED.sum(axis=1), [1, 1, 1, 0.95], rtol=1e-12)
    outputs = jnp.log(np.maximum(PRINTED, 1e-300))
    loss = CategoricalCrossEntropy()
    p = loss.probabilities(outputs)  # softmax makes a distribution of any of them
    np.testing.assert_allclose(p[np.arange(4), LABELS], [0.7, 0.15, 0.6, 0.526316], atol=1e-6)
    assert decided(p).tolist() == LABELS.tolist()
    assert float(loss(outputs, jnp.asarray(LABELS)).mean()) == pytest.approx(0.851619, abs=1e-6)
    # As printed, without the missing 0.05, and with logarithms that are not rounded to 0.865.
    literal = -np.log(PRINTED[np.arange(4), LABELS]).mean()
    assert literal == pytest.approx(0.864442, abs=1e-6)


@pytest.mark.parametrize(
    ("confidence", "right", "wrong"), [(0.51, 0.6733, 0.7133), (0.99, 0.01005, 4.6052)]
)
def test_confidence_costs_where_it_is_wrong(confidence: float, right: float, wrong: float) -> None:
    """The 0-1 loss knows no difference between a mistake at 51 % and one at 99 %."""
    outputs = jnp.log(confidence / (1 - jnp.array([[confidence], [confidence]])))
    targets = jnp.array([1, 0])
    expected = pytest.approx([right, wrong], abs=5e-5)
    assert BinaryCrossEntropy()(outputs, targets).tolist() == expected
    assert ZeroOne()(outputs, targets).tolist() == [0, 1]


def test_slopes_of_penalties() -> None:
    """sgn(w) and 0 at 0; the sign at the largest weight alone; softmax."""
    w = {"kernel": jnp.array([0.3, -2.0, 1.0])}
    zeros = {"kernel": jnp.array([0.3, 0.0, -1.0])}
    slope = jax.grad(L1(strength=1.0).penalty)(zeros)["kernel"]
    assert slope.tolist() == [1, 0, -1]
    slope = jax.grad(LInfinity(strength=1.0).penalty)(w)["kernel"]
    assert slope.tolist() == [0, -1, 0]
    slope = jax.grad(LogSumExp(strength=1.0).penalty)(w)["kernel"]
    np.testing.assert_allclose(slope, jax.nn.softmax(w["kernel"]), rtol=1e-12)


def test_two_towers_with_shared_weights_subtract_their_gradients() -> None:
    """z = f(h_p) − f(h_q), so δ_q = −σ(βh_q) ⊙ δ_z; a text that lost the minus has wrong ∇W₁."""
    draws, beta = np.random.default_rng(3), 1.7
    one, other, y = draws.normal(size=4), draws.normal(size=4), np.array([1])
    held = {
        "w1": draws.normal(size=(4, 5)),
        "b1": draws.normal(size=5),
        "w2": draws.normal(size=(5, 1)),
        "b2": draws.normal(size=1),
    }
    tower, strength = Softplus(beta=beta), 0.3

    def likelihood(w: Any) -> Any:
        z = tower(one @ w["w1"] + w["b1"]) - tower(other @ w["w1"] + w["b1"])
        return BinaryCrossEntropy()((z @ w["w2"] + w["b2"])[None], y)[0]

    def objective(w: Any) -> Any:
        wide = LogSumExp(strength=strength).penalty({"kernel": w["w2"]})
        return likelihood(w) + wide + LInfinity(strength=strength).penalty({"kernel": w["w1"]})

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    h_one, h_other = one @ held["w1"] + held["b1"], other @ held["w1"] + held["b1"]
    z = (np.logaddexp(0, beta * h_one) - np.logaddexp(0, beta * h_other)) / beta
    of_output = sigmoid(z @ held["w2"] + held["b2"]) - y
    of_z = held["w2"] @ of_output
    of_one, of_other = sigmoid(beta * h_one) * of_z, -sigmoid(beta * h_other) * of_z
    by_hand = {
        "w1": np.outer(one, of_one) + np.outer(other, of_other),
        "b1": of_one + of_other,
        "w2": np.outer(z, of_output),
        "b2": of_output,
    }
    found = jax.grad(likelihood)(jax.tree.map(jnp.asarray, held))
    for name, expected in by_hand.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-12)
    without_minus = np.outer(one, of_one) - np.outer(other, of_other)
    assert np.abs(without_minus - found["w1"]).max() > 0.1

    penalized = jax.grad(objective)(jax.tree.map(jnp.asarray, held))
    largest = np.abs(held["w1"]) == np.abs(held["w1"]).max()
    by_norm = strength * largest * np.sign(held["w1"])
    np.testing.assert_allclose(penalized["w1"] - found["w1"], by_norm, atol=1e-12)
    by_sum = strength * np.exp(held["w2"]) / np.exp(held["w2"]).sum()
    np.testing.assert_allclose(penalized["w2"] - found["w2"], by_sum, atol=1e-12)
