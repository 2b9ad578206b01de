"""Losses and their gradients against torch and optax, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ClippedCrossEntropy,
    Focal,
    GaussianLikelihood,
    Hinge,
    Huber,
    IndicatorError,
    PoissonLikelihood,
    SigmoidHinge,
    SquaredError,
    SquaredHinge,
)

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")
functional = torch.nn.functional

BATCH, STEPS = 40, 100
DRAWS = np.random.default_rng(20240229)
INPUTS = DRAWS.normal(size=(BATCH, 3))
COIN = DRAWS.integers(2, size=BATCH)
CHANCE = DRAWS.uniform(size=BATCH)
CLASSES = DRAWS.integers(4, size=BATCH)
ONE_HOT = np.eye(4)[CLASSES]
SOFT = DRAWS.dirichlet(np.ones(4), size=BATCH)
VALUES = DRAWS.normal(size=(BATCH, 4))
COUNTS = DRAWS.poisson(3.0, size=(BATCH, 4)).astype(float)
TENSOR = torch.tensor(VALUES)


class Case(NamedTuple):
    """A loss, the targets it is given, and what others say: in torch, and in optax or JAX."""

    loss: Any
    targets: np.ndarray
    outputs: int
    by_torch: Callable[[Any], Any]
    by_optax: Callable[[Any], Any]


def squared(share: float) -> Case:
    by_optax = optax.squared_error if share == 1 else optax.l2_loss
    return Case(
        SquaredError(factor=share),
        VALUES,
        4,
        lambda z: share * functional.mse_loss(z, torch.tensor(VALUES), reduction="none").mean(-1),
        lambda z: by_optax(z, VALUES).mean(-1),
    )


def binary(targets: np.ndarray, smoothing: float) -> Case:
    smooth = targets * (1 - smoothing) + smoothing / 2
    of_torch = functional.binary_cross_entropy_with_logits
    return Case(
        BinaryCrossEntropy(smoothing=smoothing),
        targets,
        1,
        lambda z: of_torch(z[:, 0], torch.tensor(smooth), reduction="none"),
        lambda z: optax.sigmoid_binary_cross_entropy(z[:, 0], smooth),
    )


def categorical(targets: np.ndarray, smoothing: float) -> Case:
    kwargs = {"reduction": "none", "label_smoothing": smoothing}
    spread = ONE_HOT if targets.ndim == 1 else targets
    return Case(
        CategoricalCrossEntropy(smoothing=smoothing),
        targets,
        4,
        lambda z: functional.cross_entropy(z, torch.tensor(targets), **kwargs),
        lambda z: optax.softmax_cross_entropy(
            z, optax.smooth_labels(jnp.asarray(spread), smoothing)
        ),
    )


def huber(threshold: float) -> Case:
    return Case(
        Huber(threshold=threshold),
        VALUES,
        4,
        lambda z: functional.huber_loss(z, TENSOR, reduction="none", delta=threshold).mean(-1),
        lambda z: optax.huber_loss(z, VALUES, delta=threshold).mean(-1),
    )


def focal(focus: float) -> Case:
    def of_torch(z: Any) -> Any:
        right = torch.log_softmax(z, -1).gather(1, torch.tensor(CLASSES)[:, None])[:, 0]
        return -((-torch.expm1(right)) ** focus) * right

    def of_jax(z: Any) -> Any:
        right = jnp.take_along_axis(jax.nn.log_softmax(z), CLASSES[:, None], axis=1)[:, 0]
        return -((1 - jnp.exp(right)) ** focus) * right

    return Case(Focal(focus=focus), CLASSES, 4, of_torch, of_jax)


def gaussian(least: float) -> Case:
    def of_torch(z: Any) -> Any:
        variance = functional.softplus(z[:, 4:]) + least
        arguments = {"full": True, "eps": 1e-300, "reduction": "none"}
        return functional.gaussian_nll_loss(z[:, :4], TENSOR, variance, **arguments).mean(-1)

    def of_jax(z: Any) -> Any:
        deviation = jnp.sqrt(jax.nn.softplus(z[:, 4:]) + least)
        return -jax.scipy.stats.norm.logpdf(VALUES, z[:, :4], deviation).mean(-1)

    return Case(GaussianLikelihood(least=least), VALUES, 8, of_torch, of_jax)


def indicators(squash: bool, outputs: int) -> Case:
    targets = ONE_HOT if outputs > 1 else COIN[:, None]

    def of_torch(z: Any) -> Any:
        if squash:
            z = z.softmax(-1) if outputs > 1 else z.sigmoid()
        return functional.mse_loss(z, torch.tensor(targets).double(), reduction="none").sum(-1)

    def of_jax(z: Any) -> Any:
        if squash:
            z = jax.nn.softmax(z) if outputs > 1 else jax.nn.sigmoid(z)
        return optax.squared_error(z, targets).sum(-1)

    integers = CLASSES if outputs > 1 else COIN
    return Case(IndicatorError(squash=squash), integers, outputs, of_torch, of_jax)


def sigmoid_hinge(labels: Any, outputs: int) -> Case:
    hot = ONE_HOT if outputs > 1 else COIN[:, None].astype(float)
    y = hot if labels == "zero_one" else 2 * hot - 1
    return Case(
        SigmoidHinge(labels=labels),
        CLASSES if outputs > 1 else COIN,
        outputs,
        lambda z: (1 - torch.tensor(y) * z.sigmoid()).clamp(min=0).sum(-1),
        lambda z: optax.hinge_loss(jax.nn.sigmoid(z), y).sum(-1),
    )


def largest_violation(z: Any) -> Any:
    right = z.gather(1, torch.tensor(CLASSES)[:, None])
    others = (1 + z - right).masked_fill(torch.tensor(ONE_HOT, dtype=torch.bool), -torch.inf)
    return others.amax(-1).clamp(min=0)


def violations(z: Any) -> Any:
    right = jnp.take_along_axis(z, CLASSES[:, None], axis=1)
    return (jnp.maximum(0, 1 + z - right) * (1 - ONE_HOT)).sum(-1)


CASES = {
    "squared error": squared(1.0),
    "half squared error": squared(0.5),
    "binary": binary(COIN, 0.0),
    "binary, smoothed": binary(COIN, 0.2),
    "binary, probabilities": binary(CHANCE, 0.1),
    "categorical": categorical(CLASSES, 0.0),
    "categorical, smoothed": categorical(CLASSES, 0.2),
    "categorical, one-hot": categorical(ONE_HOT, 0.0),
    "categorical, one-hot, smoothed": categorical(ONE_HOT, 0.2),
    "categorical, soft": categorical(SOFT, 0.0),
    "categorical, soft, smoothed": categorical(SOFT, 0.2),
    "hinge": Case(
        Hinge(),
        COIN,
        1,
        lambda z: (1 - torch.tensor(2 * COIN - 1) * z[:, 0]).clamp(min=0),
        lambda z: optax.hinge_loss(z[:, 0], 2 * COIN - 1),
    ),
    "absolute error": Case(
        AbsoluteError(),
        VALUES,
        4,
        lambda z: functional.l1_loss(z, TENSOR, reduction="none").mean(-1),
        lambda z: jnp.sqrt(optax.squared_error(z, VALUES)).mean(-1),
    ),
    "Huber": huber(1.0),
    "Huber, narrow": huber(0.3),
    "focal": focal(2.0),
    "focal, no focus": Case(
        Focal(focus=0.0),
        CLASSES,
        4,
        lambda z: functional.cross_entropy(z, torch.tensor(CLASSES), reduction="none"),
        lambda z: optax.softmax_cross_entropy_with_integer_labels(z, jnp.asarray(CLASSES)),
    ),
    "focal, of two": Case(
        Focal(focus=1.5),
        COIN,
        1,
        lambda z: (
            (z[:, 0] * torch.tensor(1 - 2 * COIN)).sigmoid() ** 1.5
            * -functional.logsigmoid(z[:, 0] * torch.tensor(2 * COIN - 1))
        ),
        lambda z: optax.sigmoid_focal_loss(z[:, 0], COIN.astype(float), gamma=1.5),
    ),
    "normal": gaussian(1e-6),
    "normal, not narrow": gaussian(0.1),
    "Poisson": Case(
        PoissonLikelihood(),
        COUNTS,
        4,
        lambda z: (
            functional.poisson_nll_loss(z, torch.tensor(COUNTS), reduction="none")
            + torch.lgamma(torch.tensor(COUNTS) + 1)
        ).mean(-1),
        lambda z: -jax.scipy.stats.poisson.logpmf(COUNTS, jnp.exp(z)).mean(-1),
    ),
    **{
        f"indicators, squashed {squash}, {outputs}": indicators(squash, outputs)
        for squash in (False, True)
        for outputs in (1, 4)
    },
    **{
        f"hinge of sigmoid, {labels}, {outputs}": sigmoid_hinge(labels, outputs)
        for labels in ("zero_one", "plus_minus")
        for outputs in (1, 4)
    },
    "squared hinge": Case(
        SquaredHinge(),
        COIN,
        1,
        lambda z: (1 - torch.tensor(2 * COIN - 1) * z[:, 0]).clamp(min=0) ** 2,
        lambda z: optax.hinge_loss(z[:, 0], 2 * COIN - 1) ** 2,
    ),
    "squared hinge of several": Case(
        SquaredHinge(),
        CLASSES,
        4,
        lambda z: 4 * functional.multi_margin_loss(z, torch.tensor(CLASSES), p=2, reduction="none"),
        lambda z: (
            (jnp.maximum(0, 1 + z - (z * ONE_HOT).sum(-1, keepdims=True)) * (1 - ONE_HOT)) ** 2
        ).sum(-1),
    ),
    # torch divides the sum by the number of classes.
    "hinge of several, sum": Case(
        Hinge(),
        CLASSES,
        4,
        lambda z: 4 * functional.multi_margin_loss(z, torch.tensor(CLASSES), reduction="none"),
        violations,
    ),
    "hinge of several, largest": Case(
        Hinge(several="largest"),
        CLASSES,
        4,
        largest_violation,
        lambda z: optax.losses.multiclass_hinge_loss(z, jnp.asarray(CLASSES)),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


def outputs_of(case: Case, size: float = 1.0) -> np.ndarray:
    return size * np.random.default_rng(7).normal(size=(BATCH, case.outputs))


def by_torch(case: Case, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = torch.tensor(outputs, requires_grad=True)
    values = case.by_torch(z)
    values.sum().backward()
    return values.detach().numpy(), z.grad.numpy()


def by_jax(function: Callable[[Any], Any], outputs: np.ndarray) -> tuple[Any, Any]:
    values, pull = jax.vjp(function, jnp.asarray(outputs))
    return values, pull(jnp.ones(BATCH))[0]


@every_case
@pytest.mark.parametrize("size", [0.1, 3.0, 1e3])
def test_values_and_gradients_are_those_of_others(case: Case, size: float) -> None:
    outputs = outputs_of(case, size)
    if isinstance(case.loss, PoissonLikelihood):
        outputs = np.clip(outputs, -700.0, 700.0)  # beyond, e^z leaves double precision too
    values, gradients = by_jax(lambda z: case.loss(z, case.targets), outputs)
    assert np.isfinite(values).all()
    for other in (by_torch(case, outputs), by_jax(case.by_optax, outputs)):
        close(values, other[0])
        close(gradients, other[1])


@every_case
def test_lanes_are_the_single_losses(case: Case) -> None:
    lanes = [jax.tree.map(lambda _, s=smoothing: s, case.loss) for smoothing in (0.0, 0.1, 0.3)]
    outputs = np.stack([outputs_of(case, size) for size in (0.3, 1.0, 30.0)])

    def one(loss: Any, z: Any) -> Any:
        return by_jax(lambda y: loss(y, case.targets), z)

    stacked = jax.tree.map(lambda *numbers: jnp.stack(numbers), *lanes)
    together = jax.jit(jax.vmap(one))(stacked, outputs)
    for i, lane in enumerate(lanes):
        jax.tree.map(close, one(lane, outputs[i]), jax.tree.map(lambda x, i=i: x[i], together))


@every_case
def test_a_hundred_steps_of_descent_lead_to_the_same_weights(case: Case) -> None:
    start = np.random.default_rng(1).normal(size=(3, case.outputs))
    weights = torch.tensor(start, requires_grad=True)
    theirs = []
    for _ in range(STEPS):
        case.by_torch(torch.tensor(INPUTS) @ weights).mean().backward()
        with torch.no_grad():
            weights -= 0.1 * weights.grad
        weights.grad = None
        theirs.append(weights.detach().numpy().copy())

    def step(w: Any, _: Any) -> Any:
        slope = jax.grad(lambda w: case.loss(INPUTS @ w, case.targets).mean())(w)
        return (w - 0.1 * slope,) * 2

    close(jax.lax.scan(step, jnp.asarray(start), length=STEPS)[1], np.stack(theirs))


def test_smoothing_binary_classes_is_smoothing_two_classes() -> None:
    z = outputs_of(CASES["binary"])
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    smoothed = functional.cross_entropy(
        torch.tensor(two), torch.tensor(COIN), reduction="none", label_smoothing=0.2
    )
    close(BinaryCrossEntropy(smoothing=0.2)(z, jnp.asarray(COIN)), smoothed.numpy())


def test_clipped_probabilities_are_those_of_torch() -> None:
    for size, clip in ((1.0, 1e-7), (3.0, 0.1), (1e3, 1e-3)):
        outputs = outputs_of(CASES["binary"], size)
        z = torch.tensor(outputs, requires_grad=True)
        p = z[:, 0].sigmoid().clamp(clip, 1 - clip)
        values = functional.binary_cross_entropy(p, torch.tensor(CHANCE), reduction="none")
        values.sum().backward()
        found = by_jax(lambda z, c=clip: ClippedCrossEntropy(least=c)(z, CHANCE), outputs)
        # Half of 1e-7 is what 1 − p keeps of it; ours does not form it.
        np.testing.assert_allclose(found[0], values.detach().numpy(), rtol=1e-8)
        np.testing.assert_allclose(found[1], z.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_without_focus_two_classes_are_scored_as_ever() -> None:
    z = outputs_of(CASES["binary"], 30.0)
    close(Focal(focus=0.0)(z, jnp.asarray(COIN)), BinaryCrossEntropy()(z, jnp.asarray(COIN)))


# -------------------------------------------------------------------------------- printed examples


def test_four_examples_scored_by_their_classes() -> None:
    """Published as 0.865, from logarithms that were rounded before they were added."""
    right = np.array([0.70, 0.15, 0.60, 0.50])
    labels = np.array([3, 7, 1, 9])
    p = np.tile((1 - right[:, None]) / 9, (1, 10))
    p[np.arange(4), labels] = right
    losses = CategoricalCrossEntropy()(jnp.log(p), jnp.asarray(labels))
    np.testing.assert_allclose(losses, [0.356675, 1.897120, 0.510826, 0.693147], atol=1e-6)
    assert float(losses.mean()) == pytest.approx(0.864442, abs=1e-6)


def test_softmax_gradients_need_targets_that_add_up_to_one() -> None:
    v = jnp.array([[1.0, 2.0, -0.5]])
    for y, expected in (
        ([0.0, 1.0, 0.0], [0.253716, -0.310328, 0.056612]),
        ([0.5, 1.0, 0.0], [-0.119426, 0.034508, 0.084918]),
    ):
        slope = jax.grad(lambda v, y=y: CategoricalCrossEntropy()(v, jnp.array([y])).sum())(v)
        np.testing.assert_allclose(slope[0], expected, atol=1e-6)


def test_gradients_of_a_sequence_are_those_of_its_moments() -> None:
    """∇ of Σ_t −ln ŷ_{y(t)}(t) is ŷ(t) − [i = y(t)] at every time, as if it were alone."""
    o = np.random.default_rng(5).normal(size=(3, 6, 4))
    y = np.random.default_rng(6).integers(4, size=(3, 6))
    slope = jax.grad(lambda o: CategoricalCrossEntropy()(o, jnp.asarray(y)).sum())(jnp.asarray(o))
    close(slope, torch.tensor(o).softmax(-1).numpy() - np.eye(4)[y])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_steps_without_a_target_are_ignored_as_in_torch(smoothing: float) -> None:
    draws = np.random.default_rng(3)
    outputs, targets = draws.standard_normal((4, 6, 5)), draws.integers(-1, 5, size=(4, 6))
    theirs = torch.tensor(outputs, requires_grad=True)
    expected = functional.cross_entropy(
        theirs.reshape(-1, 5),
        torch.tensor(targets).reshape(-1),
        ignore_index=-1,
        label_smoothing=smoothing,
    )
    expected.backward()
    loss = CategoricalCrossEntropy(smoothing=smoothing)

    def mean(outputs: Any) -> Any:
        losses = loss(outputs, jnp.asarray(targets))
        return losses.sum() / (targets >= 0).sum()

    value, slope = jax.value_and_grad(mean)(jnp.asarray(outputs))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(slope, theirs.grad.numpy(), atol=1e-14)
    assert (np.asarray(loss(jnp.asarray(outputs), jnp.asarray(targets)))[targets < 0] == 0).all()


def test_a_confident_mistake() -> None:
    """σ(23) is often printed as 0.99, and its squared error as 0.9801: both are far too small."""
    z, y = jnp.array([[23.0]]), jnp.array([0])
    assert float(BinaryCrossEntropy().probabilities(z)[0, 1]) == pytest.approx(
        0.99999999989739, abs=2e-14
    )
    assert float(IndicatorError(squash=True)(z, y)[0]) > 0.99**2 + 0.0198
    assert float(BinaryCrossEntropy()(z, y)[0]) == pytest.approx(23.0, abs=1e-9)
    assert float(IndicatorError(squash=True)(z, y)[0]) == pytest.approx(0.9999999998, abs=1e-10)
    assert BinaryCrossEntropy().probabilities(jnp.array([[-200.0]]))[0, 1] == pytest.approx(
        1.384e-87, rel=1e-3
    )


def test_hinge_of_sigmoids_through_two_layers() -> None:
    """δ₂ = −ŷ ⊙ (1 − ŷ) ⊙ y, δ₁ = W₂ᵀδ₂ ⊙ [h > 0]; the hinge is always on its active side.

    As printed ∂ℓ/∂ŷ lacks its hat, the diagonal its 1 − σ, and the sigmoid is called softmax.
    """
    draws = np.random.default_rng(8)
    x, w1, b1 = draws.normal(size=3), draws.normal(size=(3, 5)), draws.normal(size=5)
    w2, b2, y = draws.normal(size=(5, 4)), draws.normal(size=4), np.array([1.0, 0.0, 1.0, 1.0])

    def objective(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        h = jnp.maximum(x @ w1 + b1, 0)
        return SigmoidHinge()((h @ w2 + b2)[None], jnp.asarray(y)[None]).sum()

    z1 = x @ w1 + b1
    h = np.maximum(z1, 0)
    p = 1 / (1 + np.exp(-(h @ w2 + b2)))
    d2 = -p * (1 - p) * y
    d1 = (w2 @ d2) * (z1 > 0)
    found = jax.grad(objective, argnums=(0, 1, 2, 3))(*map(jnp.asarray, (w1, b1, w2, b2)))
    for actual, expected in zip(found, (np.outer(x, d1), d1, np.outer(h, d2), d2), strict=True):
        close(actual, expected)
