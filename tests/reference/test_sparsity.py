"""Sparse weights and sparse codes: optima of scikit-learn, pruning of torch, printed examples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet as TheirNet
from sklearn.linear_model import Lasso, Ridge, orthogonal_mp

from thalweg.catalogue.optimizers import GradientDescent
from thalweg.catalogue.optimizers.optimizer import init_state, take_step
from thalweg.catalogue.regularizers import (
    L2,
    Contractive,
    ElasticNet,
    GroupActivity,
    KLSparsity,
    L1Activity,
    MaxNorm,
    MeanActivity,
    NoiseConsistency,
    ProximalL1,
    PruneBelow,
    PruneShare,
    StudentTActivity,
)
from thalweg.catalogue.schedules import Progress
from thalweg.catalogue.sparse_coding import orthogonal_matching_pursuit
from thalweg.catalogue.sparsity import activation_sparsity, connection_sparsity, weight_sparsity
from thalweg.engine.penalties import after_step, of_parameters
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")
prune = pytest.importorskip("torch.nn.utils.prune")

DRAWS = np.random.default_rng(20240229)
ROWS, FEATURES, RATE = 80, 8, 0.1
INPUTS = DRAWS.normal(size=(ROWS, FEATURES))
VALUES = INPUTS @ np.array([2.0, -1, 0, 0, 0.5, 0, 0, 0]) + 0.1 * DRAWS.normal(size=ROWS)


@pytest.fixture(autouse=True)
def double() -> Any:
    with jax.enable_x64(True):
        yield


def optimum(regularizer: Any, steps: int = 2000) -> np.ndarray:
    """Where gradient descent with a regularizer comes to rest on ½ mean squared error."""
    rule = GradientDescent(learning_rate=RATE)

    def objective(parameters: Any) -> Any:
        error = INPUTS @ parameters["kernel"] - VALUES
        added = regularizer.penalty(parameters) if hasattr(regularizer, "penalty") else 0.0
        return 0.5 * jnp.mean(error**2) + added, None

    def advance(_: Any, held: Any) -> Any:
        step = take_step(rule, objective, *held, jnp.asarray(1))
        return after_step([regularizer], step.parameters, held[0], RATE, None), step.state

    start = {"kernel": jnp.ones(FEATURES)}
    return np.asarray(
        jax.lax.fori_loop(0, steps, advance, (start, init_state(rule, start)))[0]["kernel"]
    )


def test_proximal_descent_finds_the_lasso() -> None:
    expected = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12, max_iter=10**6)
    expected = expected.fit(INPUTS, VALUES).coef_
    found = optimum(ProximalL1(strength=0.1))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert ((found == 0) == (expected == 0)).all()
    assert (found == 0).sum() >= 4


def test_both_kinds_of_descent_find_the_elastic_net() -> None:
    theirs = TheirNet(alpha=0.2, l1_ratio=0.6, fit_intercept=False, tol=1e-12, max_iter=10**6)
    expected = theirs.fit(INPUTS, VALUES).coef_
    found = optimum(ElasticNet(strength=0.2, ratio=0.6, absolute="proximal"))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert ((found == 0) == (expected == 0)).all()
    # Subgradient steps come close, and never rest at zero.
    near = optimum(ElasticNet(strength=0.2, ratio=0.6))
    np.testing.assert_allclose(near, expected, atol=0.03)
    assert (near != 0).all()


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_l2_finds_the_ridge_and_shrinks_along_eigenvectors(strength: float) -> None:
    expected = Ridge(alpha=ROWS * strength, fit_intercept=False, tol=1e-12).fit(INPUTS, VALUES)
    found = optimum(L2(strength=strength))
    np.testing.assert_allclose(found, expected.coef_, atol=1e-9)
    # Along every eigenvector of the Hessian, by λ / (λ + strength).
    curvatures, directions = np.linalg.eigh(INPUTS.T @ INPUTS / ROWS)
    free = np.linalg.lstsq(INPUTS, VALUES)[0]
    shrunk = curvatures / (curvatures + strength)
    np.testing.assert_allclose(directions.T @ found, shrunk * (directions.T @ free), atol=1e-9)
    twice = optimum(L2(strength=strength / 2, factor=1.0))
    np.testing.assert_allclose(twice, found, atol=1e-12)


def test_max_norm_is_that_of_torch() -> None:
    kernel = DRAWS.normal(size=(6, 4)) * np.array([0.1, 1, 3, 10])
    bounded = MaxNorm(limit=1.5).project({"kernel": jnp.asarray(kernel)}, None, 0.1, None)
    expected = torch.renorm(torch.tensor(kernel), p=2, dim=1, maxnorm=1.5).numpy()
    np.testing.assert_allclose(bounded["kernel"], expected, rtol=1e-6)


# ----------------------------------------------------------------------------------------- pruning

TREE = {
    "a": {"kernel": jnp.asarray(DRAWS.normal(size=(5, 4))), "bias": jnp.zeros(4)},
    "b": {"kernel": jnp.asarray(0.3 * DRAWS.normal(size=(4, 3)))},
}


def pruned(regularizer: Any, tree: Any, before: Any, step: int) -> Any:
    progress = Progress(step=jnp.asarray(step), steps_per_epoch=3)
    return regularizer.project(tree, before, 0.1, progress)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_share_of_the_weights_is_pruned_as_by_torch(share: float) -> None:
    modules = {}
    for name, layer in TREE.items():
        modules[name] = torch.nn.Linear(1, 1)
        modules[name].weight = torch.nn.Parameter(torch.tensor(np.asarray(layer["kernel"])))
    each = [(module, "weight") for module in modules.values()]
    cut = pruned(PruneShare(share=share, after=2), TREE, TREE, 5)
    for name, module in modules.items():
        copy = torch.nn.Linear(1, 1)
        copy.weight = torch.nn.Parameter(module.weight.detach().clone())
        prune.l1_unstructured(copy, "weight", share)
        np.testing.assert_array_equal(cut[name]["kernel"], copy.weight.detach().numpy())
    cut = pruned(PruneShare(share=share, after=2, over="network"), TREE, TREE, 5)
    prune.global_unstructured(each, prune.L1Unstructured, amount=share)
    for name, module in modules.items():
        np.testing.assert_array_equal(cut[name]["kernel"], module.weight.detach().numpy())


@pytest.mark.parametrize(
    "regularizer", [PruneShare(share=0.5, after=2), PruneBelow(threshold=0.5, after=2)]
)
def test_pruned_weights_stay_away(regularizer: Any) -> None:
    for step in (0, 4):
        jax.tree.map(np.testing.assert_array_equal, pruned(regularizer, TREE, TREE, step), TREE)
    cut = pruned(regularizer, TREE, TREE, 5)
    moved = jax.tree.map(lambda w: w + 0.01, cut)
    after = pruned(regularizer, moved, cut, 6)
    for layer, weights in cut.items():
        gone = np.asarray(weights["kernel"]) == 0
        assert gone.any()
        assert ((np.asarray(after[layer]["kernel"]) == 0) == gone).all()
    assert (after["a"]["bias"] == 0.01).all()
    assert (pruned(regularizer, moved, cut, 4)["a"]["kernel"] != 0).all()


# ------------------------------------------------------------------------------------- activations

HIDDEN = {"one": DRAWS.uniform(0.1, 0.9, size=(6, 5)), "two": DRAWS.uniform(0.1, 0.9, size=(6, 3))}


def kl(h: Any, target: float) -> Any:
    mean = h.mean(0)
    return torch.nn.functional.kl_div(
        mean.log(), torch.full_like(mean, target), reduction="sum"
    ) + (
        torch.nn.functional.kl_div(
            (1 - mean).log(), torch.full_like(mean, 1 - target), reduction="sum"
        )
    )


def groups(h: Any, size: int) -> Any:
    return sum(part.norm(dim=1) for part in h.split(size, dim=1)).mean()


ACTIVITIES = [
    (L1Activity(strength=0.3), lambda h: 0.3 * h.abs().sum(1).mean()),
    (StudentTActivity(strength=0.3), lambda h: 0.3 * (h**2).log1p().sum(1).mean()),
    (KLSparsity(strength=0.3, target=0.2), lambda h: 0.3 * kl(h, 0.2)),
    (MeanActivity(strength=0.3, target=0.2), lambda h: 0.3 * ((h.mean(0) - 0.2) ** 2).sum()),
    (GroupActivity(strength=0.3, size=2), lambda h: 0.3 * groups(h, 2)),
]


@pytest.mark.parametrize(("ours", "theirs"), ACTIVITIES, ids=[repr(o) for o, _ in ACTIVITIES])
def test_activity_penalties_and_their_gradients_are_those_of_torch(ours: Any, theirs: Any) -> None:
    hidden = jax.tree.map(jnp.asarray, HIDDEN)
    value, slope = jax.value_and_grad(lambda h: ours.activity_penalty(h, None))(hidden)
    tensors = {name: torch.tensor(h, requires_grad=True) for name, h in HIDDEN.items()}
    expected = sum(theirs(h) for h in tensors.values())
    expected.backward()
    assert float(value) == pytest.approx(expected.item(), rel=1e-12)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(slope[name], tensor.grad.numpy(), rtol=1e-10, atol=1e-14)
    silent = jax.grad(lambda h: ours.activity_penalty(h, None))(
        jax.tree.map(jnp.zeros_like, hidden)
    )
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(silent))


def test_a_mean_activation_reaches_its_target() -> None:
    x = jnp.asarray(DRAWS.normal(size=(50, 4)))
    for regularizer in (KLSparsity(strength=1, target=0.1), MeanActivity(strength=1, target=0.1)):

        def slope(w: Any, regularizer: Any = regularizer) -> Any:
            return regularizer.activity_penalty({"h": jax.nn.sigmoid(x @ w[:4] + w[4])}, None)

        def descend(_: Any, w: Any, slope: Any = slope) -> Any:
            return w - 2 * jax.grad(slope)(w)

        w = jax.lax.fori_loop(0, 400, descend, jnp.zeros((5, 3)))
        np.testing.assert_allclose(jax.nn.sigmoid(x @ w[:4] + w[4]).mean(0), 0.1, atol=2e-3)


# ------------------------------------------------------------------------------------- sensitivity

KERNEL = DRAWS.normal(size=(FEATURES, 5))


def activations_at(x: Any) -> Any:
    first = jnp.tanh(x @ KERNEL)
    return {"one": first, "two": jax.nn.sigmoid(first @ KERNEL[:5])}


@jax.jit
def sensitivity(regularizer: Any, key: Any = 0) -> Any:
    x = jnp.asarray(INPUTS)
    return of_parameters([regularizer], {}, activations_at, x, None, jax.random.key(key))


def jacobian_norms() -> float:
    """Mean squared Frobenius norm of the Jacobian, by torch."""
    kernel = torch.tensor(KERNEL)

    def at(x: Any) -> Any:
        first = torch.tanh(x @ kernel)
        return torch.cat([first, torch.sigmoid(first @ kernel[:5])])

    each = torch.func.vmap(torch.func.jacrev(at))(torch.tensor(INPUTS))
    return float((each**2).sum((1, 2)).mean())


def test_contraction_is_the_norm_of_the_jacobian() -> None:
    expected = jacobian_norms()
    assert float(sensitivity(Contractive(strength=1))) == pytest.approx(expected, rel=1e-12)
    random = [
        float(sensitivity(Contractive(strength=1, derivatives="random"), key=k)) for k in range(40)
    ]
    error = np.std(random) / np.sqrt(len(random))
    assert abs(np.mean(random) - expected) < 4 * error < 0.1 * expected
    # Small noise is a contraction.
    small = NoiseConsistency(strength=1e6, deviation=1e-3)
    noise = [float(sensitivity(small, key=k)) for k in range(60)]
    error = np.std(noise) / np.sqrt(len(noise))
    assert abs(np.mean(noise) - expected) < 4 * error < 0.15 * expected


@pytest.mark.parametrize("regularizer", [Contractive(strength=1), NoiseConsistency(strength=1)])
def test_gradients_of_sensitivity_are_finite_differences(regularizer: Any) -> None:
    @jax.jit
    def at(scale: Any) -> Any:
        return of_parameters(
            [regularizer],
            {},
            lambda x: activations_at(scale * x),
            jnp.asarray(INPUTS),
            None,
            jax.random.key(0),
        )

    step = 1e-5
    expected = (at(1 + step) - at(1 - step)) / (2 * step)
    assert float(jax.grad(at)(1.0)) == pytest.approx(float(expected), rel=1e-7)


# ------------------------------------------------------------------------------------------- codes


coded = jax.jit(orthogonal_matching_pursuit, static_argnums=(2, 3))


def test_codes_are_those_of_scikit_learn() -> None:
    dictionary = DRAWS.normal(size=(20, 50))
    dictionary /= np.linalg.norm(dictionary, axis=0)
    signals = DRAWS.normal(size=(30, 20))
    for nonzeros in (1, 4, 9):
        codes = coded(dictionary, signals, nonzeros, "at_most")
        expected = orthogonal_mp(dictionary, signals.T, n_nonzero_coefs=nonzeros).T
        np.testing.assert_allclose(codes, expected, atol=1e-10)
        assert (np.count_nonzero(codes, axis=1) == nonzeros).all()
        fewer = coded(dictionary, signals, nonzeros + 1, "fewer")
        np.testing.assert_array_equal(fewer, codes)


# Deep Learning, equations 7.46 and 7.47: the same product sparse in one factor or in the other.
A = np.array(
    [
        [4, 0, 0, -2, 0, 0],
        [0, 0, -1, 0, 3, 0],
        [0, 5, 0, 0, 0, 0],
        [1, 0, 0, -1, 0, -4],
        [1, 0, 0, 0, -5, 0],
    ]
)
B = np.array(
    [
        [3, -1, 2, -5, 4, 1],
        [4, 2, -3, -1, 1, 3],
        [-1, 5, 4, 2, -3, -2],
        [3, 1, 2, -3, 0, -3],
        [-5, 4, -2, 2, -5, -1],
    ]
)


def test_sparse_weights_and_sparse_codes_are_two_things() -> None:
    x, h = np.array([2, 3, -2, -5, 1, 4]), np.array([0, 2, 0, 0, -3, 0])
    assert (A @ x).tolist() == [18, 5, 15, -9, -3]
    assert (B @ h).tolist() == [-14, 1, 19, 2, 23]
    assert float(connection_sparsity({"kernel": jnp.asarray(A)})) == pytest.approx(20 / 30)
    assert float(weight_sparsity({"kernel": jnp.asarray(B)})) == pytest.approx(1 / 30)
    sparse = activation_sparsity({"x": jnp.asarray(x)[None], "h": jnp.asarray(h)[None]})
    assert {name: float(share) for name, share in sparse.items()} == {"x": 0, "h": 4 / 6}


@pytest.mark.parametrize("nonzeros", [2, 3, 5])
def test_the_sparse_code_is_found_in_two_steps(nonzeros: int) -> None:
    signal = jnp.asarray([[-14.0, 1, 19, 2, 23]])
    code = coded(B.astype(float), signal, nonzeros, "at_most")
    np.testing.assert_allclose(code, [[0, 2, 0, 0, -3, 0]], atol=1e-12)
    assert np.count_nonzero(code) == 2
    (one,) = coded(B.astype(float), signal, 2, "fewer")
    assert np.flatnonzero(one).tolist() == [4]


@pytest.mark.parametrize(("nonzeros", "reading"), [(0, "at_most"), (1, "fewer"), (6, "at_most")])
def test_codes_need_atoms(nonzeros: int, reading: Any) -> None:
    with pytest.raises(SpecError, match=rf"nonzeros must leave from 1 to 5 .* got {nonzeros}"):
        orthogonal_matching_pursuit(
            jnp.asarray(B, jnp.float64), jnp.ones((1, 5)), nonzeros, reading
        )


def test_meters_have_thresholds() -> None:
    parameters = {"kernel": jnp.array([[0.0, 5e-4, 0.2, -1.0]]), "bias": jnp.zeros(4)}
    assert float(weight_sparsity(parameters)) == 0.5
    assert float(weight_sparsity(parameters, threshold=0.5)) == 0.75
    assert float(weight_sparsity(parameters, biases=True)) == 0.75
    assert float(connection_sparsity(parameters)) == 0.25
