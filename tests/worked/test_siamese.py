"""The siamese softplus network: gradients derived by hand, its regularized objective, and what it
can and cannot learn; losses of distances against PyTorch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from thalweg.catalogue.activations import Softplus
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Activate, Dense
from thalweg.catalogue.losses import BinaryCrossEntropy, Contrastive, Triplet
from thalweg.catalogue.networks import MLP, Sequential, Siamese
from thalweg.catalogue.regularizers import LInfinity, LogSumExp
from thalweg.engine.penalties import of_parameters
from thalweg.errors import SpecError

KEY = jax.random.key(0)
BETA = 1.7
BRANCH = Sequential(layers=(Dense(units=4), Activate(function=Softplus(beta=BETA))))
NETWORK = Siamese(branch=BRANCH, outputs=1)
PENALTIES = [
    LogSumExp(strength=1.0, layers=("head",)),
    LInfinity(strength=1.0, layers=("branch.dense_0",)),
]


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def example() -> tuple[Any, Any, Any]:
    """Pairs, answers and weights."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 2, 3)), np.arange(6) % 2
    held = jax.tree.map(
        lambda w: jnp.asarray(random.normal(size=w.shape)),
        NETWORK.init(KEY, jnp.asarray(x)).parameters,
    )
    return x, y, held


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def by_hand(x: Any, y: Any, held: Any, sign: float = -1.0) -> dict[str, Any]:
    """Steps a to i of the derivation, over all pairs; rows of W_1 are units."""
    w1, b1 = (np.asarray(held["branch"]["dense_0"][name]) for name in ("kernel", "bias"))
    w2, b3 = (np.asarray(held["head"][name]) for name in ("kernel", "bias"))
    h_p, h_q = x[:, 0] @ w1 + b1, x[:, 1] @ w1 + b1
    z = np.log1p(np.exp(BETA * h_p)) / BETA - np.log1p(np.exp(BETA * h_q)) / BETA
    said = sigmoid(z @ w2 + b3)[:, 0]
    # The log-likelihood has y / ŷ − (1 − y) / (1 − ŷ); times ŷ (1 − ŷ) it is y − ŷ.
    of_output = y / said - (1 - y) / (1 - said)
    of_z3 = (said * (1 - said) * of_output)[:, None]
    np.testing.assert_allclose(of_z3[:, 0], y - said)
    of_z = of_z3 @ w2.T
    of_p = sigmoid(BETA * h_p) * of_z
    of_q = sign * sigmoid(BETA * h_q) * of_z
    m = -len(y)  # L is minus their mean
    return {
        "kernel_1": (x[:, 0].T @ of_p + x[:, 1].T @ of_q) / m,
        "bias_1": (of_p + of_q).sum(0) / m,
        "kernel_2": z.T @ of_z3 / m,
        "bias_3": of_z3.sum(0) / m,
    }


def slopes(x: Any, y: Any, held: Any, regularized: bool = False) -> dict[str, Any]:
    def objective(held: Any) -> Any:
        outputs, _ = NETWORK.apply(Variables(held, {}), jnp.asarray(x), Context("train", KEY))
        value = BinaryCrossEntropy()(outputs, jnp.asarray(y)).mean()
        if regularized:
            value += of_parameters(PENALTIES, held, lambda x: {}, jnp.asarray(x), None, KEY)
        return value

    found = jax.grad(objective)(held)
    branch, head = found["branch"]["dense_0"], found["head"]
    return {
        "kernel_1": branch["kernel"],
        "bias_1": branch["bias"],
        "kernel_2": head["kernel"],
        "bias_3": head["bias"],
    }


def test_gradients_by_hand_are_those_of_differentiation() -> None:
    x, y, held = example()
    ours, expected = slopes(x, y, held), by_hand(x, y, held)
    for name, value in expected.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-10, atol=1e-14)


def test_without_the_minus_of_the_second_branch_they_are_wrong() -> None:
    """Derivations that leave out the sign of z = z_1 − z_2 in step e."""
    x, y, held = example()
    ours, printed = slopes(x, y, held), by_hand(x, y, held, sign=1.0)
    np.testing.assert_allclose(ours["kernel_2"], printed["kernel_2"], rtol=1e-10)
    for name in ("kernel_1", "bias_1"):
        assert np.abs(ours[name] - printed[name]).max() > 0.01


def test_the_regularized_objective_adds_a_softmax_and_one_sign() -> None:
    """ln Σ exp(W_2) has the gradient softmax(W_2), ‖W_1‖_∞ the sign of its largest entry there."""
    x, y, held = example()
    plain, with_them = slopes(x, y, held), slopes(x, y, held, regularized=True)
    w1 = np.asarray(held["branch"]["dense_0"]["kernel"])
    w2 = np.asarray(held["head"]["kernel"])
    one = np.zeros_like(w1)
    place = np.unravel_index(np.abs(w1).argmax(), w1.shape)
    one[place] = np.sign(w1[place])
    np.testing.assert_allclose(with_them["kernel_1"] - plain["kernel_1"], one, atol=1e-12)
    softmax = np.exp(w2) / np.exp(w2).sum()
    np.testing.assert_allclose(with_them["kernel_2"] - plain["kernel_2"], softmax, atol=1e-12)


def test_exchanging_both_examples_turns_a_difference_around_and_nothing_else() -> None:
    x, _, held = example()
    bias = np.asarray(held["head"]["bias"])

    def said(network: Any, x: Any) -> np.ndarray:
        return np.asarray(
            network.apply(Variables(held, {}), jnp.asarray(x), Context("evaluate"))[0]
        )

    np.testing.assert_allclose(said(NETWORK, x) - bias, bias - said(NETWORK, x[:, ::-1]))
    absolute = Siamese(branch=BRANCH, join="absolute", outputs=1)
    np.testing.assert_allclose(said(absolute, x), said(absolute, x[:, ::-1]))


# ---------------------------------------------------------------------------------------- distances

DISTANCE = Siamese(branch=MLP(hidden=(5,), outputs=3), join="distance", head=None)
THREE = Siamese(branch=MLP(hidden=(5,), outputs=3), join="distance", head=None, items=3)


def embedded(held: Any, x: Any) -> Any:
    """What a branch makes of one example, in torch."""
    for number in (0, 1):
        layer = held["branch"][f"dense_{number}"]
        x = x @ layer["kernel"] + layer["bias"]
        x = torch.relu(x) if number == 0 else x
    return x


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("margin", [0.5, 3.0])
def test_triplet_loss_is_that_of_torch(squared: bool, margin: float) -> None:
    x = np.random.default_rng(1).normal(size=(8, 3, 4))
    target = np.arange(8) % 2
    held = jax.tree.map(
        lambda w: np.asarray(w, np.float64), THREE.init(KEY, jnp.asarray(x)).parameters
    )
    loss = Triplet(margin=margin, squared=squared)

    def objective(held: Any) -> Any:
        outputs, _ = THREE.apply(Variables(held, {}), jnp.asarray(x), Context("train", KEY))
        return loss(outputs, jnp.asarray(target)).mean()

    value, slope = jax.value_and_grad(objective)(held)
    theirs = jax.tree.map(lambda w: torch.tensor(w, requires_grad=True), held)
    codes = [embedded(theirs, torch.tensor(x[:, i])) for i in range(3)]
    second = torch.tensor(target)[:, None] == 1
    like = torch.where(second, codes[2], codes[1])
    unlike = torch.where(second, codes[1], codes[2])
    if squared:
        function: Any = torch.nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: ((a - b) ** 2).sum(-1), margin=margin
        )
    else:
        function = torch.nn.TripletMarginLoss(margin=margin, eps=0)
    expected = function(codes[0], like, unlike)
    expected.backward()
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-9)
    for one, other in zip(jax.tree.leaves(slope), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other.grad, rtol=1e-8, atol=1e-12)


def test_contrastive_loss_is_that_of_distances_in_torch() -> None:
    x, y = np.random.default_rng(2).normal(size=(8, 2, 4)), np.arange(8) % 2
    held = jax.tree.map(
        lambda w: np.asarray(w, np.float64), DISTANCE.init(KEY, jnp.asarray(x)).parameters
    )

    def objective(held: Any) -> Any:
        outputs, _ = DISTANCE.apply(Variables(held, {}), jnp.asarray(x), Context("train", KEY))
        return Contrastive(margin=2.0)(outputs, jnp.asarray(y)).mean()

    value, slope = jax.value_and_grad(objective)(held)
    theirs = jax.tree.map(lambda w: torch.tensor(w, requires_grad=True), held)
    codes = [embedded(theirs, torch.tensor(x[:, i])) for i in range(2)]
    d = torch.nn.PairwiseDistance(eps=0)(*codes)
    # Of distances the loss of torch is linear where ours is squared: a check of each branch.
    hinge = torch.nn.HingeEmbeddingLoss(margin=2.0, reduction="none")
    cost = hinge(d, 2 * torch.tensor(y) - 1) ** 2 / 2
    assert (cost == 0).any()
    cost.mean().backward()
    assert float(value) == pytest.approx(float(cost.mean().detach()), rel=1e-9)
    for one, other in zip(jax.tree.leaves(slope), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other.grad, rtol=1e-8, atol=1e-12)


def test_equal_examples_are_at_no_distance_and_have_no_slope() -> None:
    x = np.ones((2, 2, 4))
    held = DISTANCE.init(KEY, jnp.asarray(x)).parameters

    def objective(held: Any) -> Any:
        return DISTANCE.apply(Variables(held, {}), jnp.asarray(x), Context("train", KEY))[0].sum()

    value, slope = jax.value_and_grad(objective)(held)
    assert value == 0
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(slope))


def test_every_example_has_taps_of_its_own() -> None:
    taps: dict[str, Any] = {}
    x = jnp.ones((2, 3, 4))
    variables = THREE.init(KEY, x)
    THREE.apply(variables, x, Context("evaluate", taps=taps))
    layers = {name.partition(".")[0] for name in taps}
    assert layers == {"branch", "branch_1", "branch_2"}
    assert list(variables.parameters) == ["branch"]


def test_images_lie_one_above_the_other() -> None:
    network = Siamese(branch=MLP(hidden=(3,), outputs=2), join="difference", head=None)
    images = np.random.default_rng(3).normal(size=(5, 8, 4, 1))
    variables = network.init(KEY, jnp.asarray(images))
    assert variables.parameters["branch"]["dense_0"]["kernel"].shape == (16, 3)
    whole, _ = network.apply(variables, jnp.asarray(images), Context("evaluate"))
    branch = Variables(variables.parameters["branch"], {})
    apart = [
        network.branch.apply(branch, jnp.asarray(half), Context("evaluate"))[0]
        for half in (images[:, :4], images[:, 4:])
    ]
    np.testing.assert_allclose(whole, apart[0] - apart[1])


@pytest.mark.parametrize("shape", [(1, 4), (1, 3, 4), (1, 7, 4, 1)])
def test_inputs_that_are_no_pairs_are_refused(shape: Any) -> None:
    with pytest.raises(SpecError, match="Siamese needs 2 examples in every input"):
        NETWORK.init(KEY, jnp.ones(shape))
