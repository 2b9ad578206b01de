"""Laws of what is trained: activations, losses, initializers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.catalogue.rows import ROWS

from thalweg.catalogue import activations, initializers
from thalweg.catalogue.activations import (
    ELU,
    GELU,
    ISRLU,
    ISRU,
    GeneralizedRectifier,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    ReLU,
    Sinusoid,
    SoftClipping,
    SoftExponential,
    Softmax,
    Softplus,
    Swish,
)
from thalweg.catalogue.initializers import (
    ActivationGain,
    Averaging,
    Constant,
    Eye,
    Fan,
    Glorot,
    He,
    InputUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
)
from thalweg.catalogue.losses import (
    AbsoluteError,
    Adversarial,
    BernoulliLikelihood,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ClippedCrossEntropy,
    Contrastive,
    DeepSupervision,
    Focal,
    GaussianLikelihood,
    Hinge,
    Huber,
    IndicatorError,
    PoissonLikelihood,
    SigmoidHinge,
    SquaredError,
    SquaredHinge,
    Triplet,
    Wasserstein,
    ZeroOne,
)
from thalweg.catalogue.losses.chosen import chosen_for
from thalweg.catalogue.losses.loss import decided
from thalweg.errors import SpecError
from thalweg.part import replace

COUPLED = (Max, Maxout, Softmax)
ACTIVATIONS = [
    *[getattr(activations, name)() for name in activations.__all__ if name != "SoftExponential"],
    ELU(alpha=2),
    *[GELU(form=form) for form in ("tanh", "tanh_rounded")],
    GeneralizedRectifier(slope=3),
    HingeFunction(slope=2),
    ISRLU(alpha=3),
    ISRU(alpha=0),
    LeakyReLU(slope=0.3),
    *[kind(ties="equal") for kind in (Max, Maxout)],
    ReLU(derivative_at_zero=1),
    Sinusoid(frequency=30),
    SoftClipping(alpha=100),
    Softplus(beta=100),
    Swish(beta=100),
]
LARGE = jnp.array([-1e4, -88.0, -20.0, -1.0, -0.0, 0.0, 1.0, 20.0, 88.0, 1e4])

LOSSES = [
    AbsoluteError(),
    Adversarial(),
    Adversarial(form="minimax"),
    BernoulliLikelihood(),
    BernoulliLikelihood(reduction="sum"),
    BinaryCrossEntropy(),
    BinaryCrossEntropy(smoothing=0.2),
    CategoricalCrossEntropy(),
    CategoricalCrossEntropy(smoothing=0.2),
    ClippedCrossEntropy(),
    Contrastive(),
    DeepSupervision(),
    Focal(),
    Focal(focus=0),
    Focal(focus=0.5),
    GaussianLikelihood(),
    Hinge(),
    Hinge(several="largest", derivative_at_kink=1),
    Huber(),
    IndicatorError(),
    IndicatorError(squash=True),
    PoissonLikelihood(),
    SigmoidHinge(),
    SigmoidHinge(labels="plus_minus"),
    SquaredError(),
    SquaredError(factor=0.5),
    SquaredHinge(),
    Triplet(),
    Triplet(squared=True),
    Wasserstein(),
    ZeroOne(),
]
# Densities may exceed one, and what one player loses the other gains.
GAMES = (Adversarial, Wasserstein)
NEGATIVE = (GaussianLikelihood, *GAMES)

# ------------------------------------------------------------------------------------- activations


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_stay_finite(activation: Any) -> None:
    value, pull = jax.vjp(activation, LARGE)
    (slope,) = pull(jnp.linspace(0.5, 1.5, value.size))
    if not isinstance(activation, COUPLED):
        assert value.shape == activation.derivative(LARGE).shape == LARGE.shape
    assert value.dtype == activation.derivative(LARGE).dtype == LARGE.dtype
    for found in (value, slope, activation.derivative(LARGE)):
        assert jnp.isfinite(found).all()


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 1.0])
def test_soft_exponential_is_finite_where_it_is_defined(alpha: float) -> None:
    z = jnp.array([-1e4, -88.0, -1e-3, 0.0, 1.0, 20.0, 88.0])[4 if alpha < 0 else 0 :]
    value, pull = jax.vjp(SoftExponential(alpha=alpha), z)
    assert jnp.isfinite(value).all()
    assert jnp.isfinite(pull(jnp.ones_like(z))[0]).all()


@jax.jit
def _derivatives(activation: Any, z: Any, step: Any) -> Any:
    """In closed form, as JAX has it, and as a difference."""
    _, automatic = jax.jvp(activation, (z,), (jnp.ones_like(z),))
    difference = (activation(z + step) - activation(z - step)) / (2 * step)
    return activation.derivative(z), automatic, difference


@pytest.mark.parametrize(
    "activation", [row for row in ROWS["activations"] if not isinstance(row, COUPLED)], ids=repr
)
def test_three_derivatives_agree(activation: Any) -> None:
    z = np.linspace(-3, 3, 61)  # with 0 and the other places where functions may have kinks
    away = z[np.abs(2 * z - np.round(2 * z)) > 0.1]
    with jax.enable_x64(True):
        closed, automatic, _ = _derivatives(activation, z, 1e-5)
        smooth, _, difference = _derivatives(activation, away, 1e-5)
    np.testing.assert_allclose(closed, automatic, 1e-9, 1e-12)
    np.testing.assert_allclose(smooth, difference, 1e-6, 1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations_saturate_where_they_say(activation: Any) -> None:
    if isinstance(activation, Softmax):
        ends = activation(jnp.array([[-1e7, 1e7]])).ravel()
    else:
        ends = activation(jnp.array([-1e7, 1e7]))
    assert all(np.isclose(ends, limit).any() for limit in activation.saturates_at)


def test_the_derivative_of_relu_at_zero_is_a_choice() -> None:
    for choice in (0, 1):
        rectifier = ReLU(derivative_at_zero=choice)
        assert jax.vmap(jax.grad(rectifier))(jnp.array([-1.0, 0.0, 1.0])).tolist() == [0, choice, 1]


# ------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_stay_finite_and_are_not_negative(loss: Any) -> None:
    for classes in [2, 3] if "multiclass" in loss.tasks else [2]:
        width = loss.outputs(classes if "regression" not in loss.tasks else 1)
        large = jnp.minimum(LARGE, 88.0) if isinstance(loss, PoissonLikelihood) else LARGE
        outputs = jnp.stack([jnp.roll(large, k) for k in range(width)], axis=-1)
        targets = jnp.arange(LARGE.size) % classes
        value = loss(outputs, targets)
        slope = jax.grad(lambda z, y=targets: loss(z, y).sum())(outputs)
        assert value.shape == LARGE.shape
        assert jnp.isfinite(value).all()
        assert jnp.isfinite(slope).all()
        assert (value >= 0).all() or isinstance(loss, NEGATIVE)


@pytest.mark.parametrize("loss", [x for x in LOSSES if "multiclass" in x.tasks], ids=repr)
def test_classes_may_be_integers_or_one_hot(loss: Any) -> None:
    outputs = jnp.linspace(-2, 2, 12).reshape(4, 3)
    targets = np.array([0, 2, 1, 1])
    expected = loss(outputs, jnp.asarray(targets))
    for kind in (np.float32, np.int32, bool):
        assert (loss(outputs, jnp.asarray(np.eye(3)[targets], kind)) == expected).all()


def test_targets_of_another_size_are_refused() -> None:
    assert SquaredError()(jnp.ones((4, 1)), jnp.zeros(4)).shape == (4,)
    with pytest.raises(TypeError, match="reshape"):
        SquaredError()(jnp.ones((4, 1)), jnp.zeros(3))


@pytest.mark.parametrize("loss", [x for x in LOSSES if not isinstance(x, GAMES)], ids=repr)
def test_probabilities(loss: Any) -> None:
    if loss.tasks == ("regression",):
        outputs = jnp.linspace(-2, 2, 4 * loss.outputs(3)).reshape(4, -1)
        link = {PoissonLikelihood: jnp.exp, BernoulliLikelihood: jax.nn.sigmoid}.get(type(loss))
        expected = outputs[:, :3] if link is None else link(outputs)
        assert (loss.probabilities(outputs) == expected).all()
        return
    for classes in [2, 3] if "multiclass" in loss.tasks else [2]:
        outputs = jnp.linspace(-2, 2, 4 * loss.outputs(classes)).reshape(4, -1)
        p = loss.probabilities(outputs)
        assert p.shape == (4, classes)
        np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)
        if isinstance(loss, Contrastive):
            assert (decided(p) == (outputs[:, 0] <= loss.margin / 2)).all()
        elif isinstance(loss, Triplet):
            assert (p.argmax(axis=-1) == outputs.argmin(axis=-1)).all()
        elif loss == IndicatorError() and outputs.shape[-1] == 1:
            assert (decided(p) == (outputs[:, 0] >= 0.5)).all()
        elif outputs.shape[-1] == 1:
            assert (p.argmax(axis=-1) == (outputs[:, 0] > 0)).all()
        else:
            assert (p.argmax(axis=-1) == outputs.argmax(axis=-1)).all()


def test_probability_one_half_is_a_yes() -> None:
    assert decided(jnp.array([[0.5, 0.5], [0.6, 0.4], [0.4, 0.6]])).tolist() == [1, 0, 1]
    assert decided(jnp.array([[0.2, 0.4, 0.4], [0.4, 0.1, 0.4]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("loss", "derivatives"),
    [
        (Hinge(), [-1, 0, 0]),
        (Hinge(derivative_at_kink=1), [-1, -1, 0]),
        (SquaredHinge(), [-1, 0, 0]),
    ],
    ids=repr,
)
def test_the_derivative_where_a_margin_is_met_is_a_choice(loss: Any, derivatives: list) -> None:
    for sign, target in ((1, 1), (-1, 0)):
        slope = jax.grad(lambda z: loss(z, jnp.full(3, target)).sum())  # noqa: B023
        found = slope(sign * jnp.array([[0.5], [1.0], [1.5]]))[:, 0]
        assert (sign * found).tolist() == derivatives
    several = jax.grad(lambda z: loss(z, jnp.array([0])).sum())(jnp.array([[1.0, 0.0, -1.0]]))
    assert several.tolist() == [[derivatives[1], -derivatives[1], 0]]


def test_absolute_errors_have_no_slope_at_zero() -> None:
    slope = jax.grad(lambda z: AbsoluteError()(z, jnp.zeros((1, 4))).sum())
    assert (4 * slope(jnp.array([[-2.0, 0.0, -0.0, 3.0]]))).tolist() == [[-1, 0, 0, 1]]


def test_mistakes_have_no_slope() -> None:
    z = jnp.array([[0.2, 0.1, -1.0], [3.0, 5.0, 4.0]])
    assert ZeroOne()(z, jnp.array([0, 2])).tolist() == [0, 1]
    assert (jax.grad(lambda z: ZeroOne()(z, jnp.array([0, 2])).sum())(z) == 0).all()


def test_the_task_calls_for_a_loss() -> None:
    for task, loss in (
        ("binary", BinaryCrossEntropy()),
        ("multiclass", CategoricalCrossEntropy()),
        ("regression", SquaredError()),
        ("generation", Adversarial()),
    ):
        chosen, reason = chosen_for(task)  # type: ignore[arg-type]
        assert chosen == loss
        assert task in chosen.tasks
        assert "because" in reason


# ------------------------------------------------------------------------------------ initializers

INITIALIZERS = [
    (Constant(), "value"),
    (InputUniform(), "gain"),
    (TruncatedNormal(), "deviation"),
    (TruncatedNormal(rescaled=True, limit=1.0), "deviation"),
    (Fan(), "gain"),
    (Glorot(distribution="normal"), "gain"),
    (He(distribution="uniform"), "gain"),
    (Normal(), "deviation"),
    (Orthogonal(), "gain"),
    (Uniform(), "bound"),
]


@pytest.mark.parametrize(("start", "scale"), INITIALIZERS, ids=lambda value: repr(value)[:20])
def test_scaling_an_initializer_scales_its_values(start: Any, scale: str) -> None:
    one, other = (jax.random.key(seed, impl="rbg") for seed in (3, 4))  # compiles sooner
    doubled = replace(start, **{scale: 2 * getattr(start, scale)})
    for shape in ((5, 4), (7,), (3, 2, 2, 24)):
        values = start.sample(one, shape)
        assert values.shape == shape
        assert values.dtype == jnp.float32
        assert (values == start.sample(one, shape)).all()
        np.testing.assert_allclose(doubled.sample(one, shape), 2 * values, rtol=1e-6)
        if scale != "value":
            assert (values != start.sample(other, shape)).any()


def test_connections_of_a_unit_are_counted() -> None:
    for shape in ((20, 30), (3, 3, 4, 30), (20,)):
        w = Sparse(nonzeros=7).sample(jax.random.key(1), shape)
        assert w.shape == shape
        connected = np.asarray(w.reshape(-1, 30 if len(shape) > 1 else 1) != 0)
        assert (connected.sum(axis=0) == 7).all()
        assert len(np.unique(connected, axis=1).T) == len(connected.T)
    with pytest.raises(
        SpecError, match=r"Sparse\.nonzeros must be <= the 5 inputs of a unit, got 7"
    ):
        Sparse(nonzeros=7).sample(jax.random.key(1), (5, 30))


def test_eye_changes_nothing() -> None:
    x = jnp.arange(6.0).reshape(2, 3)
    assert (x @ Eye().sample(jax.random.key(0), (3, 3)) == x).all()
    assert (x @ Eye(gain=2.0).sample(jax.random.key(0), (3, 5)))[:, :3].tolist() == (2 * x).tolist()
    kernel = np.asarray(Eye().sample(jax.random.key(0), (3, 5, 2, 2)))
    assert (kernel[1, 2] == np.eye(2)).all()
    assert kernel.sum() == 2
    with pytest.raises(SpecError, match=r"Eye is for kernels"):
        Eye().sample(jax.random.key(0), (3,))


def test_averaging_starts_near_the_mean_of_vectors() -> None:
    key, left, right = jax.random.key(0), np.array([1.0, -2.0, 5.0]), np.array([3.0, 4.0, -1.0])
    both = np.concatenate([left, right])
    plain = np.asarray(Averaging(spread=0.0).sample(key, (6, 3)))
    np.testing.assert_allclose(both @ plain, (left + right) / 2, rtol=1e-6)
    many = (50, 25, 25)
    apart = 50 * np.asarray(Averaging(gain=2.0).sample(key, many)).reshape(50, 25, 25)
    noise = apart / 2 - np.eye(25)
    # Uniform between ∓ 0.5 / √25, which has a variance of 0.1² / 3.
    assert np.abs(noise).max() <= 0.1 * (1 + 1e-5)
    assert noise.var() == pytest.approx(0.01 / 3, rel=0.03)
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] == pytest.approx(0, abs=0.15)
    cut = np.asarray(Averaging(spread=0.0).sample(key, (5, 3)))
    np.testing.assert_array_equal(cut, plain[:5])
    with pytest.raises(SpecError, match=r"Averaging is for kernels"):
        Averaging().sample(key, (3,))


def test_a_gain_multiplies_what_it_is_put_on() -> None:
    key, shape = jax.random.key(0), (30, 20)
    for activation, gain in ((Identity(), 1.0), (ReLU(), np.sqrt(2))):
        gained = ActivationGain(activation=activation, start=Normal(deviation=0.3))
        expected = gain * Normal(deviation=0.3).sample(key, shape)
        np.testing.assert_allclose(gained.sample(key, shape), expected, rtol=1e-6)


def test_fans_count_spatial_axes_in() -> None:
    assert initializers.fans((5, 3)) == (5, 3)
    assert initializers.fans((3, 3, 2, 8)) == (18, 72)
    assert initializers.fans((7,)) == (7, 7)
    assert initializers.fans(()) == (1, 1)
