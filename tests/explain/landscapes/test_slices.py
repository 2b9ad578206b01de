"""Slices of losses: against direct evaluation, scikit-learn, and NumPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from sklearn.decomposition import PCA

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.losses import BinaryCrossEntropy
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import GradientDescent, Momentum
from thalweg.data import Moons
from thalweg.errors import SpecError
from thalweg.explain.landscapes.critical import curvature_at, sharpness
from thalweg.explain.landscapes.fields import downwards
from thalweg.explain.landscapes.slices import (
    Plane,
    along_line,
    filter_normalized,
    gradients_on,
    over_plane,
    principal_plane,
    random_plane,
)
from thalweg.explain.landscapes.training import Training, of_training, trained

RANDOM = np.random.default_rng(0)
TREE = {"bias": RANDOM.normal(size=3), "kernel": RANDOM.normal(size=(4, 3))}


def loss(tree: Any) -> jax.Array:
    return jnp.sum(jnp.sin(tree["kernel"]) ** 2) + jnp.sum(tree["bias"] ** 4 * tree["kernel"][0])


def by_numpy(flat: np.ndarray) -> float:
    bias, kernel = flat[:3], flat[3:].reshape(4, 3)
    return float(np.sum(np.sin(kernel) ** 2) + np.sum(bias**4 * kernel[0]))


FLAT = np.concatenate([TREE["bias"], TREE["kernel"].ravel()])


def test_a_plane_is_evaluated_where_it_is() -> None:
    plane = Plane(FLAT, RANDOM.normal(size=(2, 15)))
    across, up = np.linspace(-1, 2, 7), np.linspace(0, 1, 5)
    values = over_plane(loss, TREE, plane, across, up)
    assert values.shape == (5, 7)
    for row, b in enumerate(up):
        for column, a in enumerate(across):
            point = FLAT + a * plane.directions[0] + b * plane.directions[1]
            assert values[row, column] == pytest.approx(by_numpy(point), rel=1e-12)
    places = np.array([[0.5, 0.2], [-1.0, 1.0]])
    for place, slope in zip(places, gradients_on(loss, TREE, plane, places), strict=True):
        for axis in range(2):
            step = 1e-6 * np.eye(2)[axis]
            ends = [by_numpy(FLAT + (place + s * step) @ plane.directions) for s in (1, -1)]
            assert slope[axis] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_a_line_is_evaluated_where_it_is() -> None:
    other = {"bias": -TREE["bias"], "kernel": 2 * TREE["kernel"]}
    end = np.concatenate([other["bias"], other["kernel"].ravel()])
    shares = (-0.5, 0.0, 0.3, 1.0, 1.5)
    expected = [by_numpy((1 - share) * FLAT + share * end) for share in shares]
    np.testing.assert_allclose(along_line(loss, TREE, other, shares), expected, rtol=1e-12)


def test_principal_components_are_those_of_scikit_learn() -> None:
    points = np.cumsum(RANDOM.normal(size=(40, 15)), axis=0)
    ours, theirs = principal_plane(points), PCA(2).fit(points)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-10)
    signs = np.sign(np.sum(ours.directions * theirs.components_, axis=1))
    np.testing.assert_allclose(ours.directions * signs[:, None], theirs.components_, atol=1e-10)
    places = theirs.transform(points)
    np.testing.assert_allclose(ours.coordinates(points) * signs, places, atol=1e-9)
    off = np.linalg.norm(points - theirs.inverse_transform(places), axis=1)
    np.testing.assert_allclose(ours.distances(points), off, atol=1e-9)
    assert off.max() > 1


def test_coordinates_hold_where_directions_are_not_orthogonal() -> None:
    plane = Plane(FLAT, RANDOM.normal(size=(2, 15)) + 1)
    places = RANDOM.normal(size=(6, 2))
    points = FLAT + places @ plane.directions
    np.testing.assert_allclose(plane.coordinates(points), places, atol=1e-12)
    np.testing.assert_allclose(plane.distances(points), 0, atol=1e-12)


def test_what_spans_no_plane() -> None:
    line = np.outer(np.arange(5.0), np.ones(4))
    with pytest.raises(SpecError, match="on one line"):
        principal_plane(line)
    with pytest.raises(SpecError, match="three points"):
        principal_plane(line[:2])


def test_filters_of_a_direction_are_as_long_as_those_of_the_network() -> None:
    direction = jax.tree.map(lambda leaf: RANDOM.normal(size=leaf.shape), TREE)
    made = filter_normalized(direction, TREE)
    np.testing.assert_allclose(
        np.linalg.norm(made["kernel"], axis=0), np.linalg.norm(TREE["kernel"], axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(made["bias"], 0)
    cosine = np.sum(made["kernel"][:, 1] * direction["kernel"][:, 1])
    lengths = np.linalg.norm(made["kernel"][:, 1]) * np.linalg.norm(direction["kernel"][:, 1])
    assert cosine == pytest.approx(lengths, rel=1e-6)
    first, again, other = (random_plane(TREE, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.directions, again.directions)
    assert np.abs(first.directions - other.directions).max() > 0.1
    np.testing.assert_array_equal(first.directions[:, :3], 0)


# ----------------------------------------------------------------------------------------- networks


@pytest.fixture(scope="module")
def training() -> Training:
    network = MLP(hidden=(3,), activation=Tanh(), outputs=1)
    data = Moons(samples=40, noise=0.1).load()
    return trained(network, BinaryCrossEntropy(), data, Momentum(learning_rate=0.1), 60)


def network_by_numpy(flat: np.ndarray, training: Training) -> float:
    layers = {name: np.asarray(leaf) for name, leaf in named(training, flat)}
    x, y = np.asarray(training.data.inputs, float), np.asarray(training.data.targets)
    hidden = np.tanh(x @ layers["dense_0.kernel"] + layers["dense_0.bias"])
    z = (hidden @ layers["dense_1.kernel"] + layers["dense_1.bias"])[:, 0]
    return float(np.mean(np.log1p(np.exp(z)) - y * z))


def named(training: Training, flat: np.ndarray) -> Any:
    with jax.enable_x64(True):
        tree = ravel_pytree(training.like)[1](jnp.asarray(flat))
    for layer, held in tree.items():
        for name, leaf in held.items():
            yield f"{layer}.{name}", leaf


def test_the_way_of_a_network(training: Training) -> None:
    assert training.points.shape == (61, 13)
    for step in (0, 7, 60):
        direct = network_by_numpy(training.points[step], training)
        assert training.values[step] == pytest.approx(direct, rel=1e-10)
    # A heavy ball, by its own rule: its velocity is the last step.
    slopes = [slope_by_numpy(training, step) for step in (0, 1)]
    moves = np.diff(training.points[:3], axis=0)
    np.testing.assert_allclose(moves[0], -0.1 * slopes[0], atol=1e-8)
    np.testing.assert_allclose(moves[1], 0.9 * moves[0] - 0.1 * slopes[1], atol=1e-8)


def slope_by_numpy(training: Training, step: int) -> np.ndarray:
    at = training.points[step]
    widths = 1e-6 * np.eye(len(at))
    ends = [[network_by_numpy(at + s * width, training) for s in (1, -1)] for width in widths]
    return np.array([(up - down) / 2e-6 for up, down in ends])


def test_curvature_of_a_network(training: Training) -> None:
    at = training.points[-1]
    count, width = len(at), 1e-4
    steps = width * np.eye(count)
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    hessian = np.array(
        [
            [
                sum(a * b * network_by_numpy(at + a * p + b * q, training) for a, b in signs)
                for q in steps
            ]
            for p in steps
        ]
    ) / (4 * width**2)
    expected = np.linalg.eigvalsh(hessian)
    slope, eigenvalues = curvature_at(training.objective, training.parameters(-1))
    np.testing.assert_allclose(eigenvalues, expected, atol=1e-6)
    assert slope == pytest.approx(np.linalg.norm(slope_by_numpy(training, -1)), abs=1e-8)
    with jax.enable_x64(True):
        largest = sharpness(training.objective, training.parameters(-1))
    assert largest == pytest.approx(expected[-1], abs=1e-6)


def test_a_page_about_a_network() -> None:
    network = MLP(hidden=(3,), activation=Tanh(), outputs=1)
    data = Moons(samples=30, noise=0.1).load()
    said = of_training(network, BinaryCrossEntropy(), data, Momentum(learning_rate=0.1), 30)
    text = said.text(100)
    assert max(map(len, text.splitlines())) <= 100
    for heading in ("The way in its plane", "Place and decision", "Between two solutions"):
        assert heading in text
    assert len(said.data["distances"]) == 31
    assert 0.5 < sum(said.data["explained"]) <= 1
    assert "class 1" in said.html()


def test_a_way_that_diverges_has_no_slice() -> None:
    network = MLP(hidden=(3,), outputs=1)
    data = Moons(samples=30).load()
    with pytest.raises(SpecError, match="gradient_descent diverged"):
        trained(network, BinaryCrossEntropy(), data, GradientDescent(learning_rate=1e200), 20)


def test_arrows_point_down_and_skip_what_has_no_slope() -> None:
    def gradients(at: np.ndarray) -> np.ndarray:
        slopes = np.stack([2 * at[:, 0], 8 * at[:, 1]], axis=1)  # of x² + 4y²
        slopes[np.abs(at[:, 0]) < 1e-9] = np.nan
        return slopes

    arrows = downwards(gradients, (-3.0, 3.0, -1.0, 1.0))
    assert len(arrows) == 11 * 11 - 11
    for arrow in arrows:
        (x, y), moved = arrow.start, np.subtract(arrow.end, arrow.start)
        steepest = -np.array([2 * x, 8 * y])
        assert moved @ steepest == pytest.approx(np.linalg.norm(moved) * np.linalg.norm(steepest))
    lengths = sorted(np.linalg.norm(np.subtract(arrow.end, arrow.start)) for arrow in arrows)
    assert lengths[-1] < 2 / 12  # no longer than places are apart
    assert lengths[0] < 0.5 * lengths[-1]
